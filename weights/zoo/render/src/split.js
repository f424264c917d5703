// Which part of the data an image belongs to. The pixels decide and not the seed, because some styles have only about a thousand
// different images: two seeds often draw the same picture, and splitting by seed would train on held-out pictures.

import { fnv1a64 } from './hash.js';

/** One image in this many is never trained on, by any model of the zoo or anything fine-tuned from it. */
export const HELD_OUT_EVERY = 8;
/** One image in this many is a query; being a multiple of `HELD_OUT_EVERY`, queries are held out. */
export const QUERY_EVERY = 16;

/** `'training'`, `'query'` or `'evaluation'` (held out, and not a query) for the hash of an image's pixels. */
export function partOf(hash) {
  if (hash.high % HELD_OUT_EVERY !== 0) return 'training';
  return hash.high % QUERY_EVERY === 0 ? 'query' : 'evaluation';
}

/** The hash that decides: fnv1a64 of the RGB bytes, row-major, three bytes a pixel. */
export function pixelHash(rgb) {
  return fnv1a64(rgb);
}
