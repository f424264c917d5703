// The styles of the zoo: all of DiceBear 9 whose artwork has a plain license (CC0 1.0, CC BY 4.0 or MIT).
// avataaars, avataaarsNeutral, bottts and botttsNeutral are "free for personal and commercial use", which names no terms for
// derived works; avataaars and bottts serve as few-shot targets that no model of the zoo has seen.

import * as collection from '@dicebear/collection';
import { fnv1a64 } from './hash.js';

export const STYLE_NAMES = [
  'adventurer', 'adventurerNeutral', 'bigEars', 'bigEarsNeutral', 'bigSmile', 'croodles', 'croodlesNeutral', 'dylan', 'funEmoji',
  'glass', 'icons', 'identicon', 'initials', 'lorelei', 'loreleiNeutral', 'micah', 'miniavs', 'notionists', 'notionistsNeutral',
  'openPeeps', 'personas', 'pixelArt', 'pixelArtNeutral', 'rings', 'shapes', 'thumbs', 'toonHead',
];

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The style of that name, as `createAvatar` takes it. */
export function styleOf(name) {
  if (!STYLE_NAMES.includes(name)) {
    throw new Error(`no style ${name} in the zoo; the styles are ${STYLE_NAMES.join(', ')}`);
  }
  return collection[name];
}

/** Who drew the style and under which license, from the package's own record. */
export function creditOf(name) {
  const { title, creator, source, homepage, license } = styleOf(name).meta;
  if (!creator || !license?.name || !license?.url) {
    throw new Error(`the package of style ${name} names no artist or license`);
  }
  return { title, artist: creator, source, ...(homepage && { homepage }), licence: license.name, licence_url: license.url };
}

/**
 * The seed that DiceBear gets for the candidate `seed` (`train-17`, `query-3`).
 *
 * `initials` writes the first letters of the seed's first and last word, which would be the same for all candidates, so that it gets
 * two letters drawn from the candidate's hash around the candidate's own seed (which still picks the color).
 */
export function seedFor(name, seed) {
  if (name !== 'initials') return seed;
  const { high } = fnv1a64(Buffer.from(seed));
  const first = ALPHABET[high % ALPHABET.length];
  const second = ALPHABET[Math.floor(high / ALPHABET.length) % ALPHABET.length];
  return `${first} ${seed} ${second}`;
}
