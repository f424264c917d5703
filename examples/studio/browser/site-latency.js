// How long the page without a server takes, beside the native program: prints the tables of docs/results.md. Run it on a machine that does nothing else.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ROOT, browse, painted, serve } from './server.js';
import { SITE, serveSite } from './site.js';

const MODEL = 'micah';
const PICTURES = 60;
const SEARCHES = 10;
const INVERSIONS = 3;
const STEPS = 100;
const QUERY = readFileSync(join(ROOT, 'weights/queries/micah/2.png'));

const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

/** What both are asked, through their `api.js`; milliseconds. It is a text for the page, and runs there. */
const measure = async ({ address, query, pictures, searches, inversions, steps, model }) => {
  const api = await import(`${address}api.js`);
  const timed = async (work) => {
    const started = performance.now();
    const value = await work();
    return [performance.now() - started, value];
  };
  const image = await api.addImage(new Blob([Uint8Array.from(atob(query), (letter) => letter.charCodeAt(0))]));
  const seeded = (seed) => ({ model, latent: { seed: { seed, truncation_psi: 0.8 } }, edits: [], noise_mode: 'constant', noise_seed: 0 });
  const [firstPicture] = await timed(() => api.picture(seeded(0)));
  const found = { first: { picture: firstPicture }, picture: [], search: [], inversion: [], step: [], previews: [], beside: [] };
  for (let seed = 1; seed <= pictures; seed += 1) found.picture.push((await timed(() => api.picture(seeded(seed))))[0]);
  [found.first.search] = await timed(() => api.search({ images: [image.id] }));
  for (let time = 0; time < searches; time += 1) found.search.push((await timed(() => api.search({ images: [image.id] })))[0]);
  const invert = async (beside) => {
    let previews = 0;
    let seconds;
    let over = false;
    const pictures = (async () => {
      for (let seed = 0; beside && !over; seed += 1) {
        const [time] = await timed(() => api.picture(seeded(seed)));
        if (!over) found.beside.push(time);
        await new Promise((resolve) => { setTimeout(resolve, 50); });
      }
    })();
    const [time] = await timed(async () => {
      for await (const [name, data] of api.invert({ image: image.id, models: [model], settings: { steps, start: 'mean' } })) {
        if (name === 'preview') previews += 1;
        if (name === 'done') seconds = data.results[0].seconds;
      }
    });
    over = true;
    await pictures;
    return [time, seconds * 1000, previews];
  };
  [found.first.inversion] = await invert(false);
  for (let time = 0; time < inversions; time += 1) {
    const [whole, inside, previews] = await invert(false);
    found.inversion.push(whole);
    found.step.push(inside / steps);
    found.previews.push(previews);
  }
  await invert(true);
  return found;
};

const options = { query: QUERY.toString('base64'), pictures: PICTURES, searches: SEARCHES, inversions: INVERSIONS, steps: STEPS, model: MODEL };

const browser = await browse();

async function first() {
  const site = await serveSite();
  const page = await (await browser.newContext()).newPage();
  const started = performance.now();
  await page.goto(`${site.address}#/model`);
  await painted(page.locator('canvas.main'));
  const time = performance.now() - started;
  const bytes = site.bytes();
  await page.context().close();
  await site.stop();
  return [time, bytes];
}

async function run(served) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(served.address);
  await page.locator('.card').first().waitFor();
  const found = await page.evaluate(measure, { ...options, address: served.address });
  await page.context().close();
  await served.stop();
  return found;
}

const [firstTime, firstBytes] = await first();
const site = await run(await serveSite());
const native = await run(await serve());
const { engine } = JSON.parse(gunzipSync(readFileSync(join(SITE, 'start.packed'))));

console.log(`${cpus().length} cores, ${cpus()[0].model}; ${browser.version()}\n`);
console.log(`WebAssembly: ${(engine.length / 1e6).toFixed(2)} MB, ${(engine.size / 1e6).toFixed(2)} MB packed. First picture after ${(firstBytes / 1e6).toFixed(2)} MB and ${(firstTime / 1000).toFixed(1)} s.`);
console.log(`First of their kind, with what is fetched for them from the same machine: search ${(site.first.search / 1000).toFixed(2)} s, inversion ${(site.first.inversion / 1000).toFixed(2)} s.`);
console.log(`Previews of an inversion: ${quantile(site.previews, 0.5)}.\n`);
console.log('| what, median / 95th percentile | in the browser | native server | ratio of medians |\n|---|---:|---:|---:|');
for (const [what, name] of [['picture, ms', 'picture'], ['picture while an inversion runs, ms', 'beside'], ['search, ms', 'search'], [`inversion of ${STEPS} steps, ms`, 'inversion'], ['step of an inversion, ms', 'step']]) {
  const cell = (values) => `${quantile(values, 0.5).toFixed(1)} / ${quantile(values, 0.95).toFixed(1)}`;
  console.log(`| ${what} | ${cell(site[name])} | ${cell(native[name])} | ${(quantile(site[name], 0.5) / quantile(native[name], 0.5)).toFixed(1)} |`);
}
await browser.close();
