// How long a person waits: slider to painted picture, first page, search, drag. Prints a table for docs/studio.md; run it on a machine that does nothing else.

import { rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { writeSeededGenerator } from './seeded-generator.js';
import { ROOT, browse, folder, painted, serve } from './server.js';

const MOVES = 120;
/** Of a large model, so that the measurement ends. */
const LARGE_MOVES = 40;
const BETWEEN = 30;

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, part) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))];
const row = (what, values) => console.log(`| ${what} | ${quantile(values, 0.5).toFixed(1)} | ${quantile(values, 0.95).toFixed(1)} | ${values.length} |`);

/** Milliseconds from each input event to the frame in which its picture is painted. */
const slide = (page, label, moves) => page.evaluate(async ([label, moves, between]) => {
  const input = document.querySelector(`input[aria-label="${label}"]`);
  const canvas = document.querySelector('canvas.main');
  const times = [];
  for (let move = 0; move < moves; move += 1) {
    input.value = String(((move % 40) - 20) / 10);
    const started = performance.now();
    const done = new Promise((resolve) => { canvas.addEventListener('painted', () => requestAnimationFrame(() => resolve(performance.now())), { once: true }); });
    input.dispatchEvent(new Event('input', { bubbles: true }));
    times.push((await done) - started);
    await new Promise((resolve) => { setTimeout(resolve, between); });
  }
  return times;
}, [label, moves, BETWEEN]);

async function slider(page, address, model, moves) {
  await page.goto(`${address}#/models`);
  await page.reload();
  await page.locator(`.card[data-model="${model}"] button.tile`).click();
  await page.getByRole('heading', { name: 'Principal components' }).waitFor();
  await painted(page.locator('canvas.main'));
  // The pictures of the seeds nearby go on being made.
  await painted(page.locator('.grid-seeds canvas').last());
  await page.waitForTimeout(500);
  return slide(page, 'Component 1', moves);
}

console.log(`${cpus().length} cores, ${cpus()[0].model}\n`);
console.log('| what | median ms | 95th percentile ms | times |\n|---|---|---|---|');
const browser = await browse();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });

const first = [];
for (let time = 0; time < 5; time += 1) {
  const started = performance.now();
  const server = await serve();
  await page.goto(server.address);
  await page.locator('.card canvas[data-painted]').first().waitFor();
  first.push(performance.now() - started);
  await server.stop();
}
row('start of the program to the first cards', first);

const models = folder();
writeSeededGenerator(join(models, 'seeded-256.safetensors'), 256);
const server = await serve('--models', models);
row('slider to painted picture, a zoo model (64x64)', await slider(page, server.address, 'micah', MOVES));
row('slider to painted picture, seeded weights (256x256)', await slider(page, server.address, 'own:seeded-256.safetensors', LARGE_MOVES));

const searches = [];
await page.goto(`${server.address}#/search`);
for (let time = 0; time < 10; time += 1) {
  const started = performance.now();
  await page.locator('.drop input').setInputFiles(join(ROOT, `weights/queries/micah/${time % 2 ? 2 : 3}.png`));
  await page.getByText('models ranked for').waitFor();
  searches.push(performance.now() - started);
  await page.reload();
  await page.locator('.drop input').waitFor({ state: 'attached' });
}
row('image to ranked models', searches);

const speeds = [];
for (let seed = 0; seed < 5; seed += 1) {
  const body = { picture: { model: 'micah', latent: { seed: { seed } } }, handles: [{ from: [30, 24], to: [50, 44] }], steps: 60 };
  const answer = await fetch(`${server.address}api/drag`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const events = (await answer.text()).split('\n\n').filter((event) => event.startsWith('event: done'));
  const { steps, seconds } = JSON.parse(events[0].split('data: ')[1]);
  speeds.push(steps / seconds);
}
console.log(`\nDrag at 64x64: ${quantile(speeds, 0.5).toFixed(1)} steps a second, median of ${speeds.length} drags.`);
await browser.close();
await server.stop();
rmSync(models, { recursive: true });
