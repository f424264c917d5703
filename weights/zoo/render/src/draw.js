import { createRequire } from 'node:module';
import { createAvatar } from '@dicebear/core';
import { Resvg } from '@resvg/resvg-js';
import { seedFor, styleOf } from './styles.js';

/** Height and width of every image. */
export const SIZE = 64;
/** Bytes of one image: three a pixel. */
export const IMAGE_BYTES = SIZE * SIZE * 3;

// Arimo has the metrics of Arial, which `initials` asks for; the machine's own fonts stay out so that pixels are the same everywhere.
const FONT = {
  loadSystemFonts: false,
  fontFiles: [createRequire(import.meta.url).resolve('@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf')],
  defaultFontFamily: 'Arimo',
  sansSerifFamily: 'Arimo',
};

/** The avatar of `name` for a candidate seed: RGB bytes over white, row-major `[SIZE, SIZE, 3]`. */
export function draw(name, seed) {
  return rasterize(createAvatar(styleOf(name), { seed: seedFor(name, seed), size: SIZE }).toString());
}

/** The pixels of an SVG: RGB bytes over white, row-major `[SIZE, SIZE, 3]`. */
export function rasterize(svg) {
  const image = new Resvg(svg, { background: 'white', fitTo: { mode: 'width', value: SIZE }, font: FONT }).render();
  if (image.width !== SIZE || image.height !== SIZE) {
    throw new Error(`drawn at ${image.width}x${image.height}, expected ${SIZE}x${SIZE}: ${svg.slice(0, 200)}`);
  }
  const rgba = image.pixels;
  const rgb = Buffer.alloc(IMAGE_BYTES);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from];
    rgb[to + 1] = rgba[from + 1];
    rgb[to + 2] = rgba[from + 2];
  }
  return rgb;
}
