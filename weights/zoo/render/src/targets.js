// The few-shot targets: kinds of pictures that no model of the zoo has seen.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createAvatar } from '@dicebear/core';
import * as collection from '@dicebear/collection';
import { rasterize, SIZE } from './draw.js';
import { fnv1a64, hashText } from './hash.js';

const require = createRequire(import.meta.url);
const EMOJI_PACKAGE = 'emoji-datasource-google';
const EMOJI_CATEGORY = 'Smileys & Emotion';
// How many candidates may be drawn for each picture asked for.
const CANDIDATES_PER_IMAGE = 6;

/** The targets by name: `pictures(wanted)` gives up to `wanted` distinct RGB pictures, and `credit` whose they are. */
export const TARGETS = {
  avataaars: avatars('avataaars'),
  bottts: avatars('bottts'),
  smileys: {
    pictures: (wanted) => distinct(emojiDrawings(), wanted),
    credit: {
      title: 'Noto Emoji, category "Smileys & Emotion"',
      artist: 'Google',
      source: `https://www.npmjs.com/package/${EMOJI_PACKAGE}`,
      licence: 'Apache License 2.0',
      licence_url: 'https://www.apache.org/licenses/LICENSE-2.0',
    },
  },
};

function avatars(name) {
  const style = collection[name];
  const { title, creator, source, license } = style.meta;
  return {
    pictures: (wanted) => distinct(avatarDrawings(style, wanted * CANDIDATES_PER_IMAGE), wanted),
    credit: { title, artist: creator, source, licence: license.name, licence_url: license.url },
  };
}

function* avatarDrawings(style, candidates) {
  for (let index = 0; index < candidates; index += 1) {
    yield rasterize(createAvatar(style, { seed: `few-shot-${index}`, size: SIZE }).toString());
  }
}

/** In the order of their pixels' hashes, so that the first hundred are no hundred of a kind. */
function emojiDrawings() {
  const folder = dirname(require.resolve(`${EMOJI_PACKAGE}/package.json`));
  const all = JSON.parse(readFileSync(join(folder, 'emoji.json'), 'utf8'));
  const drawings = all
    .filter((emoji) => emoji.category === EMOJI_CATEGORY && emoji.has_img_google)
    .map((emoji) => {
      const png = readFileSync(join(folder, 'img/google/64', emoji.image)).toString('base64');
      return rasterize(
        `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${SIZE}" height="${SIZE}">` +
          `<image width="${SIZE}" height="${SIZE}" xlink:href="data:image/png;base64,${png}"/></svg>`,
      );
    });
  const keyed = drawings.map((rgb) => [hashText(fnv1a64(rgb)), rgb]);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rgb]) => rgb);
}

function distinct(drawings, wanted) {
  const seen = new Set();
  const pictures = [];
  for (const rgb of drawings) {
    if (pictures.length === wanted) break;
    const hash = hashText(fnv1a64(rgb));
    if (seen.has(hash)) continue;
    seen.add(hash);
    pictures.push(rgb);
  }
  return pictures;
}
