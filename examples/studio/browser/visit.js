// A person's visit to the page, and what that person does in every view: with a server and without one.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './server.js';

export const QUERY = join(ROOT, 'weights/queries/micah/2.png');

/** Colors that every picture has more of. */
export const PICTURE = 50;

/** Opens a page in a context of its own. `problems` collects what it complains of and what it asks of other places than `address`. */
export async function visit(browser, address) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  context.on('request', (request) => { if (!request.url().startsWith(address) && !/^(blob|data):/.test(request.url())) problems.push(`asked for ${request.url()}`); });

  return {
    page,
    problems,

    /** The picture at work. */
    main: () => page.locator('canvas.main'),

    /** Goes to a view and waits until it is there: until then the page has the inputs of the one before. */
    async view(name) {
      await page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
      await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
    },

    /** Moves a slider as a finger does: its input event. */
    slide: (label, value) => page.getByRole('slider', { name: label, exact: true }).fill(String(value)),

    /** Fills a field in and leaves it. */
    async fill(label, value) {
      await page.getByLabel(label, { exact: true }).fill(value);
      await page.getByLabel(label, { exact: true }).blur();
    },

    /** The file that pressing gives. */
    async download(press) {
      const [file] = await Promise.all([page.waitForEvent('download'), press()]);
      return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    },

    /** Leaves the page, which must have had no problems. */
    async leave() {
      // A test that failed reports only where it stopped; what the page said is why.
      if (problems.length) console.error(problems, await page.locator('.notice').allTextContents());
      await context.close();
      assert.deepEqual(problems, []);
    },
  };
}
