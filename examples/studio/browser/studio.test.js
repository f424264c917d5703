// Every view as a person uses it, in Chromium, on the zoo.

import assert from 'node:assert/strict';
import { readFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { ROOT, browse, colors, count, folder, painted, serve } from './server.js';
import { PICTURE, QUERY, visit } from './visit.js';

/** A named edit of `adventurer`, whatever it is called since the model was trained last. */
const EDIT = readFileSync(join(ROOT, 'weights/zoo/adventurer/edits.toml'), 'utf8').match(/^\[(\w+)\]$/m)[1];

let server;
let browser;
let page;
let problems;
let main;
let view;
let slide;
let fill;
let download;
let leave;

before(async () => {
  server = await serve();
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(async () => {
  ({ page, problems, main, view, slide, fill, download, leave } = await visit(browser, server.address));
  await page.goto(server.address);
  await page.getByRole('heading', { name: 'Models' }).waitFor();
});
afterEach(() => leave());

async function openModel(name) {
  await view('Models');
  await page.getByRole('button', { name: `Open ${name}`, exact: true }).click();
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  await painted(main());
}

test('models: cards with samples, a filter, an order, and a dropped checkpoint', async () => {
  const cards = page.locator('.card');
  assert.ok(await cards.count() >= 2);
  const micah = page.locator('.card[data-model="micah"]');
  assert.match(await micah.textContent(), /after Micah Lanier.*CC-BY-4.0/s);
  await page.getByLabel('Filter').fill('micah');
  assert.equal(await cards.count(), 1);
  for (let index = 0; index < 4; index += 1) {
    const sample = micah.locator('canvas').nth(index);
    await painted(sample);
    assert.ok(await colors(sample) > PICTURE);
  }
  await page.getByLabel('Filter').fill('no such model');
  await page.getByText('No model is called like').waitFor();
  await page.getByLabel('Filter').fill('');
  await page.getByLabel('Sort by').selectOption('distance');
  const file = join(folder(), 'mine.safetensors');
  copyFileSync(join(ROOT, 'weights/zoo/lorelei/generator.safetensors'), file);
  await page.locator('.drop input').setInputFiles(file);
  const mine = page.locator('.card[data-model="dropped:mine.safetensors"]');
  await mine.waitFor();
  await mine.scrollIntoViewIfNeeded();
  await painted(mine.locator('canvas').nth(3));
  assert.ok(await colors(mine.locator('canvas').nth(3)) > PICTURE);
});

test('a file that is no checkpoint is refused with words', async () => {
  await page.locator('.drop input').setInputFiles({ name: 'bad.pkl', mimeType: 'application/octet-stream', buffer: Buffer.from('nonsense') });
  await page.locator('.notice.error').waitFor();
  assert.match(await page.locator('.notice.error').textContent(), /bad\.pkl/);
  // Chromium's own words of the answer.
  assert.match(problems.splice(0, 1)[0], /400/);
});

test('search: a chosen image, and more like a model', async () => {
  await view('Search');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.locator('.card').first().waitFor();
  assert.equal(await page.locator('.card').first().getAttribute('data-model'), 'micah');
  await page.getByText('models ranked for an image').waitFor();
  await page.locator('.cards[data-typical]').waitFor({ timeout: 60000 });
  assert.match(await page.locator('.card').first().textContent(), /\d+\.\d % of its samples are less likely/);
  assert.equal(await page.locator('.verdict').textContent(), '');
  await page.getByRole('button', { name: 'Leave image 1 out' }).click();
  await page.locator('.drop input').setInputFiles(join(ROOT, 'docs/images/find_and_invert.png'));
  await page.getByText('No model of this zoo is likely to have made this image').waitFor({ timeout: 60000 });
  await view('Models');
  await page.locator('.card[data-model="micah"]').getByRole('button', { name: 'More like this' }).click();
  await page.getByText('models ranked for models like micah').waitFor();
});

test('search: an image that is dropped on the page', async () => {
  await view('Search');
  const data = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], 'query.png', { type: 'image/png' }));
    return transfer;
  }, readFileSync(QUERY).toString('base64'));
  await page.locator('.drop').dispatchEvent('drop', { dataTransfer: data });
  await page.locator('.card').first().waitFor();
  assert.equal(await page.locator('.card').first().getAttribute('data-model'), 'micah');
});

test('model: seeds, truncation, noise, named edits and components are new pictures', async () => {
  await openModel('adventurer');
  let before = await painted(main());
  assert.ok(await colors(main()) > PICTURE);
  const changes = async (what) => {
    const seen = await count(main());
    await what();
    const now = await painted(main(), seen);
    assert.notEqual(now, before);
    before = now;
  };
  await changes(() => page.getByRole('button', { name: 'Next', exact: true }).click());
  await changes(() => page.keyboard.press('ArrowRight'));
  await changes(() => slide('Truncation ψ', 0.5));
  await changes(() => slide('Cutoff', 4));
  await changes(() => slide(EDIT, 1));
  await changes(() => slide('Component 1', 2));
  await changes(() => page.getByLabel('Layers from').fill('4').then(() => page.keyboard.press('Tab')));
  await changes(() => page.getByRole('button', { name: 'Reset edits' }).click());
  const tile = page.locator('.grid-seeds .tile').nth(7);
  await painted(tile.locator('canvas'));
  await changes(() => tile.click());
  await page.getByRole('button', { name: 'More like this' }).click();
  await page.locator('.card').first().waitFor();
});

test('invert: three ranks side by side with previews and curves, then an edit', async () => {
  await view('Invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await fill('Steps', '60');
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  const columns = page.locator('.column');
  await columns.nth(2).waitFor();
  assert.equal(await columns.count(), 3);
  assert.deepEqual(await columns.locator('p.muted').allTextContents(), ['rank 1', 'rank 10', 'rank 15']);
  const early = await painted(columns.first().locator('canvas'), 1);
  await page.locator('.column[data-done]').nth(2).waitFor({ timeout: 120000 });
  const late = await painted(columns.first().locator('canvas'), 2);
  assert.notEqual(late, early);
  assert.ok(await columns.first().locator('svg').getAttribute('data-values') >= 50);
  assert.match(await columns.first().textContent(), /PSNR \d+\.\d+ dB/);
  await columns.first().getByRole('button', { name: 'Edit' }).click();
  const before = await painted(main());
  const seen = await count(main());
  await slide('Component 1', 3);
  assert.notEqual(await painted(main(), seen), before);
});

test('invert: one model, stopped on the way', async () => {
  await view('Invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.getByLabel('Into').selectOption('micah');
  await fill('Steps', '20000');
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  await page.getByText(/step [5-9]\d* of 20000/).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped: this is what was found until then.').waitFor();
  await page.locator('.column[data-done]').waitFor();
});

/** The tensors of a safetensors file: names and shapes. */
const shapes = (bytes) => {
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  return Object.fromEntries(Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, { shape }]) => [name, shape]));
};

test('invert: refined, then edited, dragged, interpolated, exported and kept in a session', async () => {
  await view('Invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.getByLabel('Into').selectOption('micah');
  await page.getByLabel('Steps', { exact: true }).fill('30');
  await page.getByLabel('Refine', { exact: true }).check();
  await page.getByLabel('Steps of the refinement').fill('400');
  await page.getByLabel('Steps of the refinement').blur();
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  const column = page.locator('.column');
  // Looked for twice a second: sixty steps are over sooner.
  await page.getByText(/refining [1-9]\d* of 400: PSNR/).waitFor();
  const early = await painted(column.locator('canvas'), 1);
  await page.locator('.column[data-done]').waitFor({ timeout: 120000 });
  assert.match(await column.textContent(), /PSNR \d+\.\d+ dB.*refined/);
  // The curve goes on through both phases, with a line between them.
  assert.ok(Number(await column.locator('svg').getAttribute('data-values')) >= 420);
  assert.equal(await column.locator('.curve-phases line').count(), 1);
  assert.notEqual(await painted(column.locator('canvas'), 2), early);

  await column.getByRole('button', { name: 'Export' }).click();
  assert.match(await page.locator('dialog pre').textContent(), /--example invert -- --model micah --image IMAGE.png --steps 30 --refine --refine-steps 400\n/);
  await page.getByRole('button', { name: 'Close', exact: true }).click();

  await column.getByRole('button', { name: 'Edit' }).click();
  await page.getByText('This inversion is refined').waitFor();
  const before = await painted(main());
  const seen = await count(main());
  await slide('Component 1', 3);
  const edited = await painted(main(), seen);
  assert.notEqual(edited, before);
  await page.getByText('micah, inverted, refined, edited').waitFor();
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  await page.getByRole('button', { name: 'Export' }).click();
  const latents = await download(() => page.getByRole('button', { name: 'Latents and offset' }).click());
  assert.equal(latents.name, 'micah.refined.safetensors');
  const { w_plus, 'feature_offset.b16': offset } = shapes(latents.bytes);
  assert.deepEqual([w_plus.length, offset.slice(2)], [3, [16, 16]]);
  assert.match(await page.locator('dialog pre').textContent(), /--example generate -- --model micah --latents micah.refined.safetensors/);
  await page.getByRole('button', { name: 'Close', exact: true }).click();

  const session = await download(() => page.getByRole('button', { name: 'Save' }).click());
  await page.goto(server.address);
  await page.reload();
  await page.getByRole('heading', { name: 'Models' }).waitFor();
  await page.locator('#session input').setInputFiles({ name: session.name, mimeType: 'application/json', buffer: session.bytes });
  await page.getByText('Session opened.').waitFor();
  await view('Model');
  await page.waitForFunction(([selector, edited]) => document.querySelector(selector)?.toDataURL() === edited, ['canvas.main', edited]);

  await page.getByRole('button', { name: 'Drag', exact: true }).click();
  await page.getByText('it is left out here').waitFor();
  assert.notEqual(await painted(main()), edited);
  await view('Interpolate');
  await page.getByRole('button', { name: 'Add a random seed' }).click();
  await fill('Frames', '4');
  await page.locator('.strip[data-frames="4"]').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  const shown = await count(main());
  await page.getByRole('slider', { name: 'Frame' }).fill('0');
  assert.equal(await painted(main(), shown), edited);
});

test('invert: the model is tuned, which a session keeps', async () => {
  await view('Invert');
  await page.locator('.drop input').setInputFiles(QUERY);
  await page.getByLabel('Into').selectOption('micah');
  await page.getByLabel('Steps', { exact: true }).fill('10');
  await page.getByLabel('Tune the model').check();
  await page.getByLabel('Steps of the tuning').fill('10');
  await page.getByLabel('Steps of the tuning').blur();
  await page.getByRole('button', { name: 'Invert', exact: true }).click();
  await page.locator('.column[data-done]').waitFor({ timeout: 120000 });
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByText('micah, inverted, tuned').waitFor();
  const before = await painted(main());
  await page.getByRole('button', { name: 'Export' }).click();
  const tuned = await download(() => page.getByRole('button', { name: 'Tuned weights' }).click());
  assert.ok('synthesis.b16.conv0.weight.up' in shapes(tuned.bytes));
  assert.match(await page.locator('dialog pre').textContent(), /--model micah --tuned micah.tuned.safetensors --latents/);
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  const session = await download(() => page.getByRole('button', { name: 'Save' }).click());
  const other = await serve();
  try {
    // A program that has never seen this change.
    const elsewhere = await visit(browser, other.address);
    await elsewhere.page.goto(`${other.address}#/model`);
    await elsewhere.page.getByRole('heading', { name: 'Model', exact: true }).waitFor();
    await elsewhere.page.locator('#session input').setInputFiles({ name: session.name, mimeType: 'application/json', buffer: session.bytes });
    await elsewhere.page.getByText('Session opened.').waitFor();
    await elsewhere.page.waitForFunction(([selector, before]) => document.querySelector(selector)?.toDataURL() === before, ['canvas.main', before]);
    await elsewhere.leave();
  } finally {
    await other.stop();
  }
});

test('interpolate: a strip that plays, a GIF, and a film where ffmpeg is', async (t) => {
  await openModel('micah');
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  await view('Interpolate');
  await fill('Frames', '8');
  await page.locator('.strip[data-frames="8"]').waitFor();
  await painted(main());
  await painted(main(), (await count(main())) + 3);
  await page.getByRole('button', { name: 'Pause' }).click();
  const frame = async (index) => {
    const seen = await count(main());
    await page.getByRole('slider', { name: 'Frame' }).fill(String(index));
    return painted(main(), seen);
  };
  assert.notEqual(await frame(1), await frame(4));
  await page.getByRole('button', { name: 'Export' }).click();
  const gif = await download(() => page.getByRole('button', { name: 'GIF' }).click());
  assert.deepEqual([gif.name, gif.bytes.subarray(0, 6).toString()], ['micah.gif', 'GIF89a']);
  assert.match(await page.locator('dialog pre').textContent(), /--example interpolate -- --model micah --from 0 --to 1 --frames 8/);

  const film = page.getByRole('button', { name: 'MP4' });
  const { mp4: there } = await (await page.request.get(`${server.address}api/status`)).json();
  if (!there) {
    assert.ok(await film.isDisabled());
    t.diagnostic('skipped: there is no ffmpeg here that would make an MP4');
    return;
  }
  const mp4 = await download(() => film.click());
  assert.deepEqual([mp4.name, mp4.bytes.subarray(4, 8).toString()], ['micah.mp4', 'ftyp']);
});

test('drag: points and a mask set with the pointer, and a picture that follows', async () => {
  await openModel('micah');
  await page.getByRole('button', { name: 'Drag', exact: true }).click();
  await page.getByRole('heading', { name: 'Drag' }).waitFor();
  const before = await painted(main());
  const box = await page.locator('.dragging svg').boundingBox();
  const press = (x, y) => page.mouse.click(box.x + box.width * x, box.y + box.height * y);
  await press(0.5, 0.4);
  await press(0.5, 0.55);
  assert.equal(await page.locator('.points li').count(), 1);
  await page.getByLabel('Pressing sets').selectOption('mask');
  await press(0.5, 0.5);
  await page.locator('.masked').waitFor();
  await page.getByRole('button', { name: 'Clear the mask' }).click();
  await fill('Steps', '30');
  await page.locator('.row').getByRole('button', { name: 'Drag', exact: true }).click();
  await page.locator('.dragging svg[data-steps]').waitFor({ timeout: 60000 });
  const after = await painted(main());
  assert.notEqual(after, before);
  assert.ok(await colors(main()) > PICTURE);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(([element, before]) => element.toDataURL() === before, [await main().elementHandle(), before]);
});

test('drag: points that are on their way stay as they are, and nothing else is begun', async () => {
  await openModel('micah');
  await page.getByRole('button', { name: 'Drag', exact: true }).click();
  await page.getByRole('heading', { name: 'Drag' }).waitFor();
  await painted(main());
  const box = await page.locator('.dragging svg').boundingBox();
  // Two points that begin in one place stay together, so that they never arrive at two.
  for (const y of [0.5, 0.1, 0.5, 0.9]) await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * y);
  await fill('Steps', '10000');
  const start = page.locator('.row').getByRole('button', { name: 'Drag', exact: true });
  await start.click();
  await page.getByText(/^Step \d+:/).waitFor();
  await page.getByRole('button', { name: 'Add a point' }).click();
  await page.getByRole('button', { name: 'Take point 1 away' }).click();
  assert.equal(await page.locator('.points li').count(), 2);
  assert.ok(await start.isDisabled());
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText(/^Stopped after/).waitFor();
  assert.ok(await start.isEnabled());
});

test('export: picture, latents, settings and the command line', async () => {
  await openModel('adventurer');
  await slide(EDIT, 1);
  await page.getByRole('button', { name: 'Export' }).click();
  const png = await download(() => page.getByRole('button', { name: 'PNG' }).click());
  assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG');
  // Four times 64 pixels.
  assert.equal(png.bytes.readUInt32BE(16), 256);
  const latents = await download(() => page.getByRole('button', { name: 'Latents' }).click());
  assert.match(latents.name, /safetensors$/);
  const settings = await download(() => page.getByRole('button', { name: 'Settings (JSON)' }).click());
  assert.deepEqual(JSON.parse(settings.bytes).edits, [{ edit: EDIT, strength: 1 }]);
  assert.match(await page.locator('dialog pre').textContent(), /--example generate -- --model adventurer --latents adventurer.latents.safetensors/);
});

test('a session is saved to a file and opened from it', async () => {
  await openModel('micah');
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByRole('button', { name: 'Put on the strip' }).click();
  const before = await painted(main(), 1);
  const session = await download(() => page.getByRole('button', { name: 'Save' }).click());
  await page.reload();
  await page.getByRole('heading', { name: 'Model', exact: true }).waitFor();
  await page.locator('#session input').setInputFiles({ name: session.name, mimeType: 'application/json', buffer: session.bytes });
  await page.getByText('Session opened.').waitFor();
  await page.waitForFunction(([selector, before]) => document.querySelector(selector)?.toDataURL() === before, ['canvas.main', before]);
  await view('Interpolate');
  assert.equal(await page.locator('.strip li canvas').count(), 1);
  await page.locator('#session input').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
  await page.getByText('This file is no session').waitFor();
});

test('the keyboard alone opens a model and moves a slider', async () => {
  await page.getByLabel('Filter').focus();
  await page.keyboard.type('micah');
  const open = page.getByRole('button', { name: 'Open micah', exact: true });
  for (let presses = 0; presses < 6 && !(await open.evaluate((element) => element === document.activeElement)); presses += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  const before = await painted(main());
  const seen = await count(main());
  await page.getByRole('slider', { name: 'Component 1', exact: true }).focus();
  for (let press = 0; press < 10; press += 1) await page.keyboard.press('ArrowRight');
  assert.notEqual(await painted(main(), seen), before);
});

test('the keyboard skips to the content, and goes on from the start of a new view', async () => {
  const focused = () => page.evaluate(() => document.activeElement.id);
  await view('Search');
  await page.locator('.skip').focus();
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'main');
  await page.getByRole('heading', { name: 'Search', exact: true, level: 1 }).waitFor();
  await view('Models');
  await page.getByRole('button', { name: 'Open micah', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  assert.equal(await focused(), 'main');
});

test('nothing is wider than a telephone', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of ['Models', 'Search', 'Model', 'Invert', 'Interpolate', 'Drag']) {
    await view(name);
    await page.getByRole('heading', { level: 1, name }).waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
  }
});
