// The page without a server as a person uses it, in Chromium: `cargo run --release --manifest-path studio/site/Cargo.toml` makes it.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { ROOT, browse, colors, count, folder, painted } from './server.js';
import { SITE, serveSite } from './site.js';
import { PICTURE, QUERY, visit } from './visit.js';

const MEGABYTE = 1e6;

let site;
let browser;
let page;
let problems;
let main;
let view;
let slide;
let fill;
let download;
let leave;

before(async () => { browser = await browse(); });
after(async () => { await browser?.close(); });
beforeEach(async () => {
  site = await serveSite();
  ({ page, problems, main, view, slide, fill, download, leave } = await visit(browser, site.address));
});
afterEach(async () => {
  try {
    await leave();
  } finally {
    await site.stop();
  }
});

const open = async (place = '') => {
  await page.goto(site.address + place);
  await page.locator('#nav a').first().waitFor();
};

/** Gives what runs in the page the `api` that its views ask. */
const withApi = () => page.evaluate(async (address) => { globalThis.api = await import(`${address}api.js`); }, site.address);

/** Bytes for the page. */
const base64 = (path) => readFileSync(path).toString('base64');

test('the first picture comes after 3 MB at most, sliders change it, and nothing is fetched twice', async () => {
  await open('#/model');
  await page.getByRole('heading', { name: 'Model', exact: true }).waitFor();
  let before = await painted(main());
  assert.ok(await colors(main()) > PICTURE);
  assert.ok(site.bytes() <= 3 * MEGABYTE, `${site.bytes()} bytes`);
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  for (const [label, value] of [['Truncation ψ', 0.5], ['Component 1', 2]]) {
    const seen = await count(main());
    await slide(label, value);
    const now = await painted(main(), seen);
    assert.notEqual(now, before);
    before = now;
  }
  await page.reload();
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  await painted(main());
  for (const [path, bytes] of site.sent) if (path.startsWith('/data/')) assert.equal(bytes, statSync(join(SITE, path)).size, path);
});

test('models: cards with samples, credits, and a dropped checkpoint', async () => {
  await open();
  const micah = page.locator('.card[data-model="micah"]');
  assert.match(await micah.textContent(), /after Micah Lanier.*CC-BY-4.0/s);
  await page.getByLabel('Filter').fill('micah');
  await painted(micah.locator('canvas').nth(3));
  assert.ok(await colors(micah.locator('canvas').nth(3)) > PICTURE);
  await page.getByLabel('Filter').fill('');
  const file = join(folder(), 'mine.safetensors');
  copyFileSync(join(ROOT, 'weights/zoo/lorelei/generator.safetensors'), file);
  await page.locator('.drop input').setInputFiles(file);
  const mine = page.locator('.card[data-model="dropped:mine.safetensors"]');
  await mine.waitFor();
  await mine.scrollIntoViewIfNeeded();
  await painted(mine.locator('canvas').nth(3));
  await page.locator('.drop input').setInputFiles({ name: 'bad.pkl', mimeType: 'application/octet-stream', buffer: Buffer.from('nonsense') });
  await page.locator('.notice.error').waitFor();
  assert.match(await page.locator('.notice.error').textContent(), /bad\.pkl/);
  await page.getByRole('link', { name: 'Credits and licenses' }).click();
  await page.getByRole('heading', { name: 'Credits and licenses' }).waitFor();
  assert.match(await page.locator('table').textContent(), /micah.*Avatar Illustration System.*Micah Lanier.*CC-BY-4.0/s);
});

test('search: a chosen image, how usual it is, and more like a model', async () => {
  await open('#/search');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.locator('.card').first().waitFor();
  assert.equal(await page.locator('.card').first().getAttribute('data-model'), 'micah');
  await page.locator('.cards[data-typical]').waitFor();
  assert.match(await page.locator('.card').first().textContent(), /\d+\.\d % of its samples are less likely/);
  await page.locator('.card[data-model="micah"]').getByRole('button', { name: 'More like this' }).click();
  await page.getByText('models ranked for models like micah').waitFor();
});

test('invert: previews while pictures go on, then an edit and its export', async () => {
  await open('#/invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.getByLabel('Into').selectOption('micah');
  await fill('Steps', '60');
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  const column = page.locator('.column');
  const early = await painted(column.locator('canvas'), 1);
  await page.locator('.column[data-done]').waitFor({ timeout: 120000 });
  assert.notEqual(await painted(column.locator('canvas'), 2), early);
  assert.ok(await column.locator('svg').getAttribute('data-values') >= 50);
  assert.match(await column.textContent(), /PSNR \d+\.\d+ dB/);
  await column.getByRole('button', { name: 'Edit' }).click();
  const before = await painted(main());
  const seen = await count(main());
  await slide('Component 1', 3);
  assert.notEqual(await painted(main(), seen), before);
  await page.getByRole('button', { name: 'Export' }).click();
  const png = await download(() => page.getByRole('button', { name: 'PNG' }).click());
  // Four times 64 pixels.
  assert.equal(png.bytes.readUInt32BE(16), 256);
  const latents = await download(() => page.getByRole('button', { name: 'Latents' }).click());
  assert.match(latents.name, /safetensors$/);
  assert.match(await page.locator('dialog pre').textContent(), /--example generate -- --model micah --latents/);
});

test('invert: stopped on the way, it gives what it has; and another can be begun', async () => {
  await open('#/invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.getByLabel('Into').selectOption('micah');
  await fill('Steps', '20000');
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  await page.getByText(/step [5-9]\d* of 20000/).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped: this is what was found until then.').waitFor();
  await page.locator('.column[data-done]').waitFor();
  await fill('Steps', '5');
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  await page.getByText('Done.').waitFor();
});

test('interpolate: a strip that plays, and a GIF', async () => {
  await open('#/model');
  await painted(main());
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  await view('Interpolate');
  await fill('Frames', '6');
  await page.locator('.strip[data-frames="6"]').waitFor();
  await page.getByRole('button', { name: 'Export' }).click();
  const gif = await download(() => page.getByRole('button', { name: 'GIF' }).click());
  assert.equal(gif.bytes.subarray(0, 6).toString(), 'GIF89a');
  assert.ok(await page.getByRole('button', { name: 'MP4' }).isDisabled());
});

test('drag: points that a picture follows', async () => {
  await open('#/drag');
  const before = await painted(main());
  const box = await page.locator('.dragging svg').boundingBox();
  for (const y of [0.4, 0.55]) await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * y);
  await fill('Steps', '10');
  await page.locator('.row').getByRole('button', { name: 'Drag', exact: true }).click();
  await page.locator('.dragging svg[data-steps]').waitFor({ timeout: 60000 });
  assert.notEqual(await painted(main()), before);
});

test('a checkpoint that is dropped again is the new one for pictures and for jobs', async () => {
  await open();
  await withApi();
  const generators = ['lorelei', 'micah'].map((model) => base64(join(ROOT, `weights/zoo/${model}/generator.safetensors`)));
  const [first, again, expected] = await page.evaluate(async (generators) => {
    const drop = (text) => api.addModel(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], 'mine.safetensors'));
    const dragged = async (model) => {
      const seen = [await (await api.picture({ model, latent: { seed: { seed: 3 } } })).arrayBuffer().then((bytes) => String(new Uint8Array(bytes)))];
      for await (const [name, data] of api.drag({ picture: { model, latent: { seed: { seed: 3 } } }, handles: [{ from: [20, 20], to: [40, 40] }], steps: 1 })) if (name === 'done') seen.push(data.w_plus);
      return seen;
    };
    await drop(generators[0]);
    const first = await dragged('dropped:mine.safetensors');
    await drop(generators[1]);
    return [first, await dragged('dropped:mine.safetensors'), await dragged('micah')];
  }, generators);
  assert.deepEqual(again, expected);
  assert.notEqual(first[1], expected[1]);
});

test('a job that is ended while it waits leaves the one before it alone', async () => {
  await page.clock.install();
  await open();
  await withApi();
  await page.evaluate(async (text) => {
    const { id } = await api.addImage(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
    globalThis.told = [{}, {}];
    globalThis.ended = ['failed', 'failed'];
    globalThis.read = [0, 1].map(async (job) => {
      for await (const [name, data] of api.invert({ image: id, models: ['micah'], settings: { steps: 20000 } })) {
        told[job][name] = data;
        if (name === 'done') ended[job] = data.results[0].stop;
      }
    });
  }, base64(QUERY));
  await page.waitForFunction(() => told[0].numbers && told[1].job);
  await page.evaluate(() => api.cancel(told[1].job.id));
  // Longer than a job has to end.
  await page.clock.fastForward(20000);
  const step = await page.evaluate(() => told[0].numbers.position);
  await page.waitForFunction((step) => told[0].numbers.position > step, step);
  await page.evaluate(async () => { await api.cancel(told[0].job.id); await Promise.all(read); });
  assert.deepEqual(await page.evaluate(() => ended), ['cancelled', 'cancelled']);
});

test('who goes away ends a job at once, and waiting for its events keeps nothing', async () => {
  await open();
  await withApi();
  const [listeners, name] = await page.evaluate(async (text) => {
    const { id } = await api.addImage(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
    const gone = new AbortController();
    let listeners = 0;
    gone.signal.addEventListener = (...rest) => { listeners += 1; AbortSignal.prototype.addEventListener.apply(gone.signal, rest); };
    try {
      let steps = 0;
      for await (const [name] of api.invert({ image: id, models: ['micah'], settings: { steps: 20000 } }, gone.signal)) {
        steps += name === 'numbers';
        if (steps === 10) gone.abort();
      }
    } catch (error) {
      return [listeners, error.name];
    }
    return [listeners, 'nothing'];
  }, base64(QUERY));
  assert.deepEqual([listeners, name], [1, 'AbortError']);
});

test('pictures of a change that a job has found may be asked for together', async () => {
  await open();
  await withApi();
  const same = await page.evaluate(async (text) => {
    const { id } = await api.addImage(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
    let found;
    for await (const [name, data] of api.invert({ image: id, models: ['micah'], settings: { steps: 1 }, tune: true, tune_steps: 1 })) if (name === 'done') [found] = data.results;
    const recipe = { model: 'micah', tuned: found.tuned, latent: found.latent };
    const [one, other] = await Promise.all([api.picture(recipe), api.picture(recipe)].map(async (picture) => String(new Uint8Array(await (await picture).arrayBuffer()))));
    return one === other;
  }, base64(QUERY));
  assert.ok(same);
});

test('where the part that computes does not start, the page says why, and tries again when it is asked again', async () => {
  for (const [part, broken, why] of [
    ['**/data/*', { status: 503 }, /program could not be fetched: the server answered 503/],
    ['**/engine.js', { contentType: 'text/javascript', body: "export default async () => { throw new Error('no memory'); };" }, /could not be started: no memory/],
    ['**/engine.js', { status: 404 }, /could not be started/],
  ]) {
    await page.route(part, (route) => route.fulfill(broken));
    await page.goto(site.address);
    await page.getByText('The models cannot be listed.').waitFor();
    assert.match((await page.locator('.notice.error').allTextContents()).join(), why);
    await page.unroute(part);
    await withApi();
    assert.ok((await page.evaluate(async () => (await api.models()).length)) > 0);
    // Chromium's own words of the answers.
    problems.splice(0);
  }
});

test('what the site has no more goes out of the cache', async () => {
  await open('#/model');
  await painted(main());
  await page.evaluate(async (address) => (await caches.open('ganymede-files')).put(`${address}data/old.packed`, new Response('old')), site.address);
  await page.reload();
  // Long after the page knows what the site has.
  await painted(main());
  const kept = await page.evaluate(async () => (await (await caches.open('ganymede-files')).keys()).map(({ url }) => new URL(url).pathname));
  assert.ok(kept.length > 0 && !kept.includes('/data/old.packed'), kept.join(' '));
});

test('a session from a place with other networks is opened with those that are here', async () => {
  await open();
  await withApi();
  const inversion = await page.evaluate(async () => (await api.status()).inversion);
  const session = { version: 1, strip: [], query: [], inversion: { ...inversion, settings: { ...inversion.settings, lpips: 'vgg', steps: 77 } } };
  await page.locator('#session input').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(session)) });
  await page.getByText('Session opened.').waitFor();
  const [settings] = await page.evaluate(async (address) => [(await import(`${address}store.js`)).store.inversion.settings], site.address);
  assert.deepEqual([settings.lpips, settings.steps], ['alex', 77]);
});

test('a message takes the place of the one before it, and of nothing that says what is fetched', async () => {
  await open();
  await page.evaluate(async (address) => (await import(`${address}fetching.js`)).showFetching({ name: 'zoo/somebody/generator.safetensors', done: 1, total: 1e6 }), site.address);
  await page.getByText('Fetching somebody').waitFor();
  await page.evaluate(async (address) => {
    const { notice } = await import(`${address}elements.js`);
    notice('one');
    notice('two');
  }, site.address);
  assert.deepEqual(await page.locator('.notice > span').allTextContents(), ['Fetching somebody, 1.0 MB', 'two']);
});
