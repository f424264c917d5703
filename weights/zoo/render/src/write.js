import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectHeldOut, collectTraining } from './collect.js';
import { SIZE } from './draw.js';
import { writePacked } from './packed.js';
import { encodePng } from './png.js';
import { creditOf } from './styles.js';

/**
 * Draws the training images of one style to `DATA/NAME.training.safetensors`; returns the counts.
 */
export function writeTraining(name, { data, train }) {
  mkdirSync(data, { recursive: true });
  const { images, candidates, heldOut, duplicates } = collectTraining(name, train);
  writePacked(join(data, `${name}.training.safetensors`), images, {
    part: 'training',
    ...description(name, images),
    candidates: String(candidates),
    held_out: String(heldOut),
    duplicates: String(duplicates),
  });
  return { training: images.length, candidates, held_out: heldOut, duplicates };
}

/**
 * Draws the held-out images of one style; returns the counts.
 *
 * `QUERIES/NAME/K.png` are the first `queries` queries, `STUDIES/NAME.png` the first `study` ones below each other in one image
 * (its height over its width is their number), and `DATA/NAME.evaluation.safetensors` the held-out images that are not queries.
 */
export function writeHeldOut(name, { data, queries: folder, studies, queryCount, study }) {
  const found = collectHeldOut(name, Math.max(queryCount, study));
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  for (const old of readdirSync(own)) {
    if (/^\d+\.png$/.test(old)) rmSync(join(own, old));
  }
  const single = found.queries.slice(0, queryCount);
  single.forEach((rgb, index) => writeFileSync(join(own, `${index}.png`), encodePng(rgb, SIZE, SIZE)));
  const packed = found.queries.slice(0, study);
  mkdirSync(studies, { recursive: true });
  writeFileSync(join(studies, `${name}.png`), encodePng(Buffer.concat(packed), SIZE, SIZE * packed.length));
  mkdirSync(data, { recursive: true });
  writePacked(join(data, `${name}.evaluation.safetensors`), found.evaluation, {
    part: 'evaluation',
    ...description(name, found.evaluation),
    candidates: String(found.candidates),
  });
  return { queries: single.length, study: packed.length, evaluation: found.evaluation.length, candidates: found.candidates };
}

function description(name, images) {
  const { artist, licence, licence_url, source } = creditOf(name);
  return { style: name, count: String(images.length), artist, licence, licence_url, source };
}
