// node render.js [--styles a,b] [--only training|held-out] [--train N] [--queries N] [--study N] [--data DIR] [--query-dir DIR] [--study-dir DIR]

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { creditOf, STYLE_NAMES, styleOf } from './src/styles.js';
import { writeHeldOut, writeTraining } from './src/write.js';

const here = dirname(fileURLToPath(import.meta.url));

const { values } = parseArgs({
  options: {
    styles: { type: 'string', default: STYLE_NAMES.join(',') },
    only: { type: 'string' },
    train: { type: 'string', default: '4000' },
    queries: { type: 'string', default: '8' },
    study: { type: 'string', default: '50' },
    data: { type: 'string', default: join(here, '../data') },
    'query-dir': { type: 'string', default: join(here, '../../queries') },
    'study-dir': { type: 'string', default: join(here, '../../studies') },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  console.log(`Draws the images that the model zoo is trained and tested on.

  --styles a,b,..   styles to draw (default: all ${STYLE_NAMES.length})
  --only PART       training or held-out (default: both)
  --train N         training images per style (default 4000; fewer where a style has fewer distinct ones)
  --queries N       query images per style as single PNGs (default 8)
  --study N         query images per style in the packed PNG (default 50)
  --data DIR        where packed training and evaluation images go (default weights/zoo/data, not under version control)
  --query-dir DIR   where queries and their record go (default weights/queries)
  --study-dir DIR   where the packed PNGs go (default weights/studies)`);
  process.exit(0);
}

const styles = values.styles.split(',');
styles.forEach(styleOf);
if (values.only && !['training', 'held-out'].includes(values.only)) throw new Error(`--only ${values.only}: expected training or held-out`);
const options = {
  data: resolve(values.data),
  queries: resolve(values['query-dir']),
  studies: resolve(values['study-dir']),
  train: count('train'),
  queryCount: count('queries'),
  study: count('study'),
};

for (const name of styles) {
  if (values.only !== 'training') {
    const counts = writeHeldOut(name, options);
    // Records of styles that this run does not draw stay.
    const path = join(options.queries, 'queries.json');
    const record = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
    record[name] = { ...counts, ...creditOf(name) };
    const sorted = Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
    writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`);
    console.log(`${name}: ${JSON.stringify(counts)}`);
  }
  if (values.only !== 'held-out') {
    console.log(`${name}: ${JSON.stringify(writeTraining(name, options))}`);
  }
}

function count(option) {
  const number = Number(values[option]);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} ${values[option]}: expected a whole number of at least 1`);
  return number;
}
