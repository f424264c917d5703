// The promise of the data: nothing held out is ever trained on. It is checked on the files that the renderer writes, with the rule
// written out again here, so that a mistake in src/split.js cannot hide itself.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { collectTraining } from '../src/collect.js';
import { IMAGE_BYTES } from '../src/draw.js';
import { fnv1a64, hashText } from '../src/hash.js';
import { readPacked } from '../src/packed.js';
import { decodePng } from '../src/png.js';
import { STYLE_NAMES, creditOf } from '../src/styles.js';
import { writeHeldOut, writeTraining } from '../src/write.js';

const zoo = join(dirname(fileURLToPath(import.meta.url)), '../..');
const shipped = { data: join(zoo, 'data'), queries: join(zoo, '../queries'), studies: join(zoo, '../studies') };
// loreleiNeutral has the fewest different pictures for its seeds, so that train-N and query-N meet there.
const DRAWN = ['loreleiNeutral', 'initials'];
let drawn;

before(() => {
  const folder = mkdtempSync(join(tmpdir(), 'zoo-render-'));
  drawn = { folder, data: join(folder, 'data'), queries: join(folder, 'queries'), studies: join(folder, 'studies') };
  for (const name of DRAWN) {
    writeTraining(name, { ...drawn, train: 300 });
    writeHeldOut(name, { ...drawn, queryCount: 4, study: 12 });
  }
});
after(() => rmSync(drawn.folder, { recursive: true }));

const upper = (rgb) => Number(BigInt(`0x${hashText(fnv1a64(rgb))}`) >> 32n);
const text = (rgb) => hashText(fnv1a64(rgb));

function strip(path) {
  const { rgb, width, height } = decodePng(readFileSync(path));
  assert.equal(width, 64);
  return Array.from({ length: height / 64 }, (_, index) => rgb.subarray(index * IMAGE_BYTES, (index + 1) * IMAGE_BYTES));
}

function checkStyle(name, { data, queries, studies }) {
  const packed = strip(join(studies, `${name}.png`));
  const singles = readdirSync(join(queries, name))
    .sort((a, b) => parseInt(a, 10) - parseInt(b, 10))
    .map((file) => decodePng(readFileSync(join(queries, name, file))).rgb);
  for (const rgb of packed) assert.equal(upper(rgb) % 16, 0, `${name}: a query is not held out`);
  assert.equal(new Set(packed.map(text)).size, packed.length, `${name}: two queries are equal`);
  assert.ok(singles.length > 0 && packed.length >= singles.length);
  singles.forEach((rgb, index) => assert.ok(rgb.equals(packed[index]), `${name}/${index}.png is not query ${index}`));

  const training = join(data, `${name}.training.safetensors`);
  const evaluation = join(data, `${name}.evaluation.safetensors`);
  if (!existsSync(training) || !existsSync(evaluation)) return false;
  const trained = readPacked(training);
  const evaluated = readPacked(evaluation);
  assert.equal(trained.metadata.style, name);
  assert.equal(Number(trained.metadata.count), trained.images.length);
  for (const rgb of trained.images) assert.notEqual(upper(rgb) % 8, 0, `${name}: a held-out image is in the training file`);
  for (const rgb of evaluated.images) assert.equal(upper(rgb) % 16, 8, `${name}: an evaluation image is not of the other held-out half`);
  const known = new Set(trained.images.map(text));
  assert.equal(known.size, trained.images.length, `${name}: two training images are equal`);
  for (const rgb of [...packed, ...evaluated.images]) assert.ok(!known.has(text(rgb)), `${name}: a held-out image was trained on`);
  return true;
}

for (const name of DRAWN) {
  test(`freshly drawn ${name} keeps held-out images out of training`, () => assert.ok(checkStyle(name, drawn)));
}

for (const name of STYLE_NAMES) {
  test(`the shipped queries of ${name} are held out, and its training file, where drawn, has none`, (context) => {
    if (!checkStyle(name, shipped)) context.diagnostic('no training file here: node render.js draws it');
  });
}

test('the record names license, artist and counts of every style', () => {
  const record = JSON.parse(readFileSync(join(shipped.queries, 'queries.json'), 'utf8'));
  assert.deepEqual(Object.keys(record).sort(), [...STYLE_NAMES].sort());
  for (const name of STYLE_NAMES) {
    const { queries, study, evaluation, candidates, ...credit } = record[name];
    assert.deepEqual(credit, creditOf(name));
    assert.match(credit.licence, /^(CC0 1\.0|CC BY 4\.0|MIT)$/);
    assert.equal(study, strip(join(shipped.studies, `${name}.png`)).length);
    assert.equal(queries, readdirSync(join(shipped.queries, name)).length);
    assert.ok(evaluation > 0 && candidates > study);
  }
});

test('a style with few pictures ends with what it has', () => {
  // Five pictures, by turns; `draw` is replaced, as every real style has more.
  const found = collectTraining('any', 100, (_, seed) => Buffer.alloc(IMAGE_BYTES, Number(seed.slice('train-'.length)) % 5));
  assert.equal(found.candidates, 600);
  assert.equal(found.images.length + found.duplicates + found.heldOut, found.candidates);
  assert.ok(found.images.length <= 5);
});
