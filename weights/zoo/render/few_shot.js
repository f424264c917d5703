// node few_shot.js [--count N] [--all N] [--out DIR] [--data DIR]

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SIZE } from './src/draw.js';
import { writePacked } from './src/packed.js';
import { encodePng } from './src/png.js';
import { TARGETS } from './src/targets.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    all: { type: 'string', default: '4000' },
    out: { type: 'string', default: join(here, '../../few_shot') },
    data: { type: 'string', default: join(here, '../data') },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  console.log(`Draws the few-shot targets: ${Object.keys(TARGETS).join(', ')}.

  --count N     pictures to train on, as PNGs of their own (default 100)
  --all N       distinct pictures, these among them, that results are measured against (default 4000; fewer where there are fewer)
  --out DIR     where the PNGs and their record go (default weights/few_shot)
  --data DIR    where the packed files go (default weights/zoo/data, not under version control)`);
  process.exit(0);
}

const record = {};
for (const [name, target] of Object.entries(TARGETS)) {
  const pictures = target.pictures(Number(values.all));
  const few = pictures.slice(0, Number(values.count));
  const folder = join(values.out, name);
  mkdirSync(folder, { recursive: true });
  for (const old of readdirSync(folder)) {
    if (/^\d+\.png$/.test(old)) rmSync(join(folder, old));
  }
  few.forEach((rgb, index) => {
    writeFileSync(join(folder, `${String(index).padStart(3, '0')}.png`), encodePng(rgb, SIZE, SIZE));
  });
  mkdirSync(values.data, { recursive: true });
  const { title, artist, licence } = target.credit;
  writePacked(join(values.data, `${name}.few_shot_all.safetensors`), pictures, { part: 'few-shot target', style: name, title, artist, licence });
  record[name] = { images: few.length, all: pictures.length, ...target.credit };
  console.log(`${name}: ${few.length} of ${pictures.length}`);
}
writeFileSync(join(values.out, 'few_shot.json'), `${JSON.stringify(record, null, 2)}\n`);
