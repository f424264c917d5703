// The engine of the site against the native program `studio`, which answers the same questions over HTTP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { decode } from './png.js';
import { ROOT, studio } from './site.js';

const PROGRAM = process.env.STUDIO ?? join(ROOT, 'target/release/examples/studio');
const QUERY = readFileSync(join(ROOT, 'weights/queries/micah/2.png'));
/** A named edit of `adventurer`, whatever it is called since the model was trained last. */
const EDIT = readFileSync(join(ROOT, 'weights/zoo/adventurer/edits.toml'), 'utf8').match(/^\[(\w+)\]$/m)[1];

let program;
let api;
let here;
let asked;

before(async () => {
  program = spawn(PROGRAM, ['--port', '0', '--weights', join(ROOT, 'weights')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: program.stdout }).once('line', resolve);
    program.once('error', reject);
    program.once('exit', (code) => reject(new Error(`the program ended with ${code}`)));
  });
  api = `${address}api`;
  ({ studio: here, asked } = await studio());
});
after(() => program?.kill());

const native = (path, body) => fetch(`${api}${path}`, body === undefined ? {}
  : { method: 'POST', headers: { 'content-type': body instanceof Uint8Array ? 'application/octet-stream' : 'application/json' }, body: body instanceof Uint8Array ? body : JSON.stringify(body) });
const call = (method, ...values) => here.call(method, values.map((value) => (typeof value === 'object' && !(value instanceof Uint8Array) ? JSON.stringify(value) : value)));
const parsed = async (...values) => JSON.parse(await call(...values));

/**
 * Values of a picture are within 2e-5 of each other where sums are rounded in another order, as for every pair of instruction sets on one processor. A step of
 * 8 bits is 7.8e-3, so that at most a value that lies between two of them by chance is another, by one.
 */
function same(one, other) {
  const [a, b] = [decode(one), decode(other)];
  assert.deepEqual([a.width, a.height, a.pixels.length], [b.width, b.height, b.pixels.length]);
  const apart = a.pixels.map((value, index) => Math.abs(value - b.pixels[index]));
  assert.ok(Math.max(...apart) <= 1, `values are ${Math.max(...apart)} apart`);
  const changed = apart.filter((value) => value).length;
  assert.ok(changed <= a.pixels.length / 100, `${changed} of ${a.pixels.length} values are not the same`);
}

const seeded = (model, seed, more = {}) => ({ model, latent: { seed: { seed, truncation_psi: 0.8 } }, edits: [], noise_mode: 'constant', noise_seed: 0, ...more });

test('the first picture needs its model alone, and pictures are those of the native program', async () => {
  const recipe = seeded('micah', 5);
  const picture = await call('picture', recipe);
  assert.deepEqual(asked, ['zoo/micah/generator.safetensors']);
  same(picture, new Uint8Array(await (await native('/picture', recipe)).arrayBuffer()));
  for (const other of [
    seeded('funEmoji', 7, { enlarged: 2 }),
    seeded('adventurer', 3, { edits: [{ edit: EDIT, strength: 2 }, { component: 1, layers: '0-3', strength: -1.5 }] }),
    seeded('adventurer', 3, { noise_mode: 'random', noise_seed: 4 }),
  ]) same(await call('picture', other), new Uint8Array(await (await native('/picture', other)).arrayBuffer()));
});

test('models and what can be done with them are described alike', async () => {
  assert.deepEqual(await parsed('models'), await (await native('/models')).json());
  const [mine, theirs] = [await parsed('describe', 'adventurer'), await (await native('/models/adventurer')).json()];
  assert.equal(mine.components.length, theirs.components.length);
  // Eigenvalues of sums in another order.
  mine.components.forEach((share, index) => assert.ok(Math.abs(share - theirs.components[index]) <= 1e-5 * theirs.components[0]));
  assert.deepEqual({ ...mine, components: [] }, { ...theirs, components: [] });
  const [status, served] = [await parsed('status'), await (await native('/status')).json()];
  assert.deepEqual(status.inversion, served.inversion);
  assert.deepEqual(status.lpips, ['alex']);
});

test('a search ranks the models as the native program does', async () => {
  const { id } = await parsed('addImage', QUERY);
  assert.equal(id, (await (await native('/images', QUERY)).json()).id);
  const [mine, theirs] = [await parsed('search', { images: [id] }), await (await native('/search', { images: [id] })).json()];
  const models = ({ queries: [{ ranking }] }) => ranking.map(({ model }) => model);
  assert.equal(models(mine)[0], 'micah');
  assert.deepEqual(models(mine), models(theirs));
  // Scores are sums of squares of some hundreds, of features that agree to 1e-5.
  mine.queries[0].ranking.forEach(({ score }, index) => {
    const expected = theirs.queries[0].ranking[index].score;
    assert.ok(Math.abs(score - expected) <= 1e-3 * Math.max(1, Math.abs(expected)), `${score}, expected ${expected}`);
  });
  assert.equal(mine.queries[0].fit.model, theirs.queries[0].fit.model);
});

test('an inversion tells its steps, shows previews, and finds what the native program finds', async () => {
  const { id } = await parsed('addImage', QUERY);
  await native('/images', QUERY);
  const wanted = { image: id, models: ['micah'], settings: { steps: 12 } };
  const heard = [];
  const found = JSON.parse(await here.call('invert', [JSON.stringify(wanted), (name, data) => heard.push([name, JSON.parse(data)]), () => false]));
  const events = (await (await native('/invert', wanted)).text()).split('\n\n');
  const done = JSON.parse(events.find((event) => event.startsWith('event: done')).split('data: ')[1]);
  const [mine, theirs] = [found.results[0], done.results[0]];
  assert.deepEqual([mine.id, mine.steps, mine.stop, found.cancelled], ['micah', 12, 'finished', false]);
  // Twelve steps of Adam magnify rounding: its first steps go by signs.
  assert.ok(Math.abs(mine.psnr - theirs.psnr) <= 0.05, `${mine.psnr} dB, expected ${theirs.psnr}`);
  assert.ok(Math.abs(mine.lpips - theirs.lpips) <= 2e-3, `${mine.lpips}, expected ${theirs.lpips}`);
  // Before the first step random latents are compared, which has no losses.
  const numbers = heard.filter(([name, { values }]) => name === 'numbers' && !('starts compared' in values));
  assert.ok(numbers.length >= 12 && numbers.every(([, { values }]) => Number.isFinite(values.LPIPS)));
  const previews = heard.filter(([name]) => name === 'preview');
  assert.ok(previews.length >= 2);
  assert.equal(decode(Buffer.from(previews.at(-1)[1].png, 'base64')).width, 64);

  const recipe = { model: 'micah', latent: theirs.latent };
  same(await call('picture', recipe), new Uint8Array(await (await native('/picture', recipe)).arrayBuffer()));
  const latents = Buffer.from(await call('latents', { model: 'micah', latent: mine.latent }));
  assert.match(latents.subarray(8, 8 + Number(latents.readBigUInt64LE())).toString(), /"w_plus":\{[^}]*"shape":\[1,10,64\]/);
});

test('an inversion that is ended on its way gives what it has', async () => {
  const { id } = await parsed('addImage', QUERY);
  let steps = 0;
  const tell = (name) => { steps += name === 'numbers'; };
  const found = JSON.parse(await here.call('invert', [JSON.stringify({ image: id, models: ['micah'], settings: { steps: 20000 } }), tell, () => steps >= 5]));
  assert.equal(found.cancelled, true);
  assert.equal(found.results[0].stop, 'cancelled');
  assert.ok(found.results[0].steps >= 1 && found.results[0].steps <= steps, `${found.results[0].steps} steps, ${steps} told`);
});

test('points are dragged, models tuned and courses moved', async () => {
  const heard = new Set();
  const dragged = JSON.parse(await here.call('drag', [JSON.stringify({ picture: seeded('micah', 4), handles: [{ from: [30, 24], to: [30, 30] }], steps: 5 }), (name) => heard.add(name), () => false]));
  assert.ok(dragged.steps >= 1 && heard.has('points') && heard.has('preview'));
  const { id } = await parsed('addImage', QUERY);
  const tuned = JSON.parse(await here.call('invert', [JSON.stringify({ image: id, models: ['micah'], settings: { steps: 2 }, tune: true, tune_steps: 2 }), () => {}, () => false]));
  const change = tuned.results[0].tuned;
  const file = await call('tuned', change);
  assert.equal(await call('addTuned', file), change);
  const with_change = await call('picture', { model: 'micah', tuned: change, latent: tuned.results[0].latent });
  assert.notDeepEqual(with_change, await call('picture', { model: 'micah', latent: tuned.results[0].latent }));
  const points = [1, 2].map((seed) => ({ latent: { seed: { seed } } }));
  const gif = Buffer.from(await call('animation', { model: 'micah', latent: { course: { points, easing: 'cosine', closed: true } }, frames: 4, frames_per_second: 12, format: 'gif' }));
  assert.equal(gif.toString('latin1', 0, 6), 'GIF89a');
});

test('what makes no sense is refused with words, and the engine goes on', async () => {
  await assert.rejects(call('picture', seeded('nobody', 1)), /no model of this id/);
  await assert.rejects(call('addImage', new Uint8Array([1, 2, 3])), /the image/);
  await assert.rejects(call('addModel', 'bad.pkl', new TextEncoder().encode('nonsense')), /bad\.pkl/);
  await assert.rejects(call('addModel', '../bad.pkl', new Uint8Array(1)), /name of a checkpoint/);
  await assert.rejects(call('search', { images: [] }), /1 to 100 images/);
  await call('picture', seeded('micah', 1));
});
