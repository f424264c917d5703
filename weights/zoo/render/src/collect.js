import { draw as drawAvatar } from './draw.js';
import { hashText } from './hash.js';
import { partOf, pixelHash } from './split.js';

// How many candidates may be drawn for each image asked for before a style counts as exhausted.
const CANDIDATES_PER_IMAGE = 6;
// A query is one candidate in `QUERY_EVERY`, so that the search for queries needs as many more.
const CANDIDATES_PER_QUERY = 80;

/**
 * Draws `train-0`, `train-1`, ... until `wanted` distinct images that may be trained on are found, or the style is exhausted.
 *
 * Returns `{ images, candidates, heldOut, duplicates }`: RGB bytes in the order of their seeds, and how many candidates were drawn,
 * refused because they are held out, and dropped because the same pixels had come before.
 */
export function collectTraining(name, wanted, draw = drawAvatar) {
  const seen = new Set();
  const found = { images: [], candidates: 0, heldOut: 0, duplicates: 0 };
  while (found.images.length < wanted && found.candidates < wanted * CANDIDATES_PER_IMAGE) {
    const rgb = draw(name, `train-${found.candidates}`);
    found.candidates += 1;
    const hash = pixelHash(rgb);
    if (partOf(hash) !== 'training') {
      found.heldOut += 1;
    } else if (seen.has(hashText(hash))) {
      found.duplicates += 1;
    } else {
      seen.add(hashText(hash));
      found.images.push(rgb);
    }
  }
  return found;
}

/**
 * Draws `query-0`, `query-1`, ... until `wanted` distinct queries are found, or the style is exhausted.
 *
 * Returns `{ queries, evaluation, candidates }`; `evaluation` holds the distinct held-out images met on the way that are not queries.
 */
export function collectHeldOut(name, wanted, draw = drawAvatar) {
  const seen = new Set();
  const found = { queries: [], evaluation: [], candidates: 0 };
  while (found.queries.length < wanted && found.candidates < wanted * CANDIDATES_PER_QUERY) {
    const rgb = draw(name, `query-${found.candidates}`);
    found.candidates += 1;
    const hash = pixelHash(rgb);
    const part = partOf(hash);
    if (part === 'training' || seen.has(hashText(hash))) continue;
    seen.add(hashText(hash));
    (part === 'query' ? found.queries : found.evaluation).push(rgb);
  }
  return found;
}
