// The targets: a hundred distinct pictures each, none of a style of the zoo.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { fnv1a64, hashText } from '../src/hash.js';
import { decodePng } from '../src/png.js';
import { STYLE_NAMES } from '../src/styles.js';
import { TARGETS } from '../src/targets.js';

const shipped = join(dirname(fileURLToPath(import.meta.url)), '../../../few_shot');

for (const [name, target] of Object.entries(TARGETS)) {
  test(`${name}: the shipped pictures are those that are drawn, and distinct`, () => {
    assert.ok(!STYLE_NAMES.includes(name));
    assert.ok(target.credit.artist && target.credit.licence && target.credit.licence_url);
    const files = readdirSync(join(shipped, name)).sort();
    assert.equal(files.length, 100);
    const hashes = files.map((file) => {
      const { rgb, width, height } = decodePng(readFileSync(join(shipped, name, file)));
      assert.deepEqual([width, height], [64, 64]);
      return hashText(fnv1a64(rgb));
    });
    assert.equal(new Set(hashes).size, hashes.length);
    const drawn = target.pictures(5).map((rgb) => hashText(fnv1a64(rgb)));
    assert.deepEqual(drawn, hashes.slice(0, 5));
  });
}
