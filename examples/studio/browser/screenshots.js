// Pictures of every view, at two widths and in light and dark, into the folder that is named. Those in docs/images/studio are some of them.

import { join } from 'node:path';
import { ROOT, browse, painted, serve } from './server.js';

const out = process.argv[2] ?? '.';
const server = await serve();
const browser = await browse();
const query = join(ROOT, 'weights/queries/micah/2.png');

for (const [width, height] of [[1280, 860], [390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    const shot = (name) => page.screenshot({ path: join(out, `${name}-${width}-${colorScheme}.png`) });
    const view = (name) => page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
    await page.goto(server.address);
    await page.locator('.card canvas[data-painted]').nth(3).waitFor();
    await page.waitForTimeout(800);
    await shot('models');
    await page.locator('.card[data-model="micah"] button.tile').click();
    await page.getByRole('heading', { name: 'Principal components' }).waitFor();
    await page.getByRole('button', { name: 'Next', exact: true }).click();
    await page.getByRole('slider', { name: 'Component 1', exact: true }).fill('1.5');
    await painted(page.locator('canvas.main'), 2);
    await page.waitForTimeout(800);
    await shot('model');
    await page.getByRole('button', { name: 'Put on the strip' }).click();
    for (let seed = 0; seed < 4; seed += 1) {
      await page.getByRole('button', { name: 'Next', exact: true }).click();
      await page.getByRole('button', { name: 'Put on the strip' }).click();
    }
    await view('Search');
    await page.locator('.drop input').setInputFiles(query);
    await page.locator('.card canvas[data-painted]').nth(3).waitFor();
    await page.waitForTimeout(800);
    await shot('search');
    await view('Invert');
    await page.getByLabel('Steps', { exact: true }).fill('100');
    await page.getByLabel('Steps', { exact: true }).blur();
    await page.getByRole('button', { name: 'Invert', exact: true }).click();
    await page.locator('.column[data-done]').nth(2).waitFor({ timeout: 120000 });
    await shot('invert');
    await view('Interpolate');
    await page.locator('.strip[data-frames]').waitFor({ timeout: 60000 });
    await page.waitForTimeout(5500);
    await shot('interpolate');
    await view('Drag');
    await painted(page.locator('canvas.main'));
    const box = await page.locator('.dragging svg').boundingBox();
    for (const [x, y] of [[0.35, 0.45], [0.35, 0.58], [0.65, 0.45], [0.65, 0.58]]) await page.mouse.click(box.x + box.width * x, box.y + box.height * y);
    await shot('drag');
    await view('Model');
    await page.getByRole('button', { name: 'Export' }).click();
    await shot('export');
    await context.close();
  }
}
await browser.close();
await server.stop();
