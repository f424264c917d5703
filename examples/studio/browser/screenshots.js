// Pictures of every view, at two widths and in light and dark, into the folder that is named. Those in docs/images/studio are some of them.
//
//   node screenshots.js [FOLDER]

import { join } from 'node:path';
import { ROOT, browse, painted, serve } from './server.js';

const out = process.argv[2] ?? '.';
const MODEL = 'personas';
const query = join(ROOT, `weights/queries/${MODEL}/0.png`);
const server = await serve();
const browser = await browse();

for (const [width, height] of [[1280, 860], [390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    const shot = (name) => page.screenshot({ path: join(out, `${name}-${width}-${colorScheme}.png`) });
    const view = async (name) => {
      await page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
      await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
    };
    const press = (name) => page.getByRole('button', { name, exact: true }).click();
    const top = () => page.evaluate(() => scrollTo(0, 0));
    await page.goto(server.address);
    await page.locator('.card canvas[data-painted]').nth(3).waitFor();
    await page.waitForTimeout(800);
    await shot('models');

    await page.locator(`.card[data-model="${MODEL}"] button.tile`).click();
    await page.getByRole('heading', { name: 'Principal components' }).waitFor();
    await press('Next');
    for (let seed = 0; seed < 4; seed += 1) {
      await press('Put on the strip');
      await press('Next');
    }
    await page.getByRole('slider', { name: 'Component 1', exact: true }).fill('1.5');
    await page.getByRole('slider', { name: 'Component 2', exact: true }).fill('-1');
    await painted(page.locator('canvas.main'), 2);
    // Until the notice has gone.
    await page.waitForTimeout(5500);
    if (width > 860) await top();
    await shot('model');

    await view('Search');
    await page.locator('.drop input').setInputFiles(query);
    await page.locator('.cards[data-typical]').waitFor();
    await page.locator('.card canvas[data-painted]').nth(3).waitFor();
    await page.waitForTimeout(800);
    await shot('search');

    await view('Invert');
    await page.getByLabel('Refine', { exact: true }).check();
    await top();
    await shot('invert-options');
    await press('Invert');
    await page.locator('.column[data-done]').nth(2).waitFor({ timeout: 120000 });
    await page.waitForTimeout(300);
    if (width > 860) await top();
    await shot('invert');

    await view('Interpolate');
    await page.locator('.strip[data-frames]').waitFor({ timeout: 60000 });
    await page.waitForTimeout(500);
    await shot('interpolate');

    await view('Drag');
    await painted(page.locator('canvas.main'));
    for (const [x, y] of [[0.4, 0.62], [0.4, 0.72], [0.62, 0.62], [0.62, 0.72]]) {
      const box = await page.locator('.dragging svg').boundingBox();
      await page.mouse.click(box.x + box.width * x, box.y + box.height * y);
    }
    await shot('drag');

    await view('Model');
    await press('Export');
    await shot('export');
    await context.close();
  }
}
await browser.close();
await server.stop();
