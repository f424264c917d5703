import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a64, hashText } from '../src/hash.js';
import { draw } from '../src/draw.js';
import { partOf } from '../src/split.js';

test('the hash has its published values', () => {
  assert.equal(hashText(fnv1a64(Buffer.from(''))), 'cbf29ce484222325');
  assert.equal(hashText(fnv1a64(Buffer.from('a'))), 'af63dc4c8601ec8c');
  assert.equal(hashText(fnv1a64(Buffer.from('foobar'))), '85944171f73967e8');
});

test('the hash of a picture equals the one by plain 64-bit arithmetic', () => {
  const rgb = draw('micah', 'train-3');
  let expected = 0xcbf29ce484222325n;
  for (const byte of rgb) expected = ((expected ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  assert.equal(hashText(fnv1a64(rgb)), expected.toString(16).padStart(16, '0'));
});

test('the upper half decides the part', () => {
  assert.equal(partOf({ high: 16, low: 1 }), 'query');
  assert.equal(partOf({ high: 8, low: 16 }), 'evaluation');
  assert.equal(partOf({ high: 1, low: 16 }), 'training');
});
