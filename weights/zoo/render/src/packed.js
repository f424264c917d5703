// Packed images: a safetensors file with one tensor `images`, U8 [count, 3, height, width], RGB planes. The metadata's `format` names
// this layout and its version; everything else in it is for people.

import { readFileSync, writeFileSync, renameSync } from 'node:fs';
import { IMAGE_BYTES, SIZE } from './draw.js';

export const FORMAT = 'packed-images/1';
const HEADER_ALIGNMENT = 8;
const PIXELS = SIZE * SIZE;

/** Writes `images` (RGB bytes each, row-major `[SIZE, SIZE, 3]`) to `path`; `metadata` maps strings to strings. */
export function writePacked(path, images, metadata) {
  const data = Buffer.alloc(images.length * IMAGE_BYTES);
  images.forEach((rgb, image) => {
    for (let pixel = 0; pixel < PIXELS; pixel += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        data[image * IMAGE_BYTES + channel * PIXELS + pixel] = rgb[pixel * 3 + channel];
      }
    }
  });
  const header = JSON.stringify({
    __metadata__: { format: FORMAT, ...metadata },
    images: { dtype: 'U8', shape: [images.length, 3, SIZE, SIZE], data_offsets: [0, data.length] },
  });
  const padded = header.padEnd(Math.ceil(header.length / HEADER_ALIGNMENT) * HEADER_ALIGNMENT);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(padded)));
  // A stopped run must not leave half a file under the final name.
  writeFileSync(`${path}.partial`, Buffer.concat([length, Buffer.from(padded), data]));
  renameSync(`${path}.partial`, path);
}

/** The images of a packed file as RGB bytes, row-major `[SIZE, SIZE, 3]` each, with its metadata. */
export function readPacked(path) {
  const file = readFileSync(path);
  const end = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, end).toString());
  const { format } = header.__metadata__;
  if (format !== FORMAT) throw new Error(`${path}: format ${format}, expected ${FORMAT}`);
  const [count] = header.images.shape;
  const images = [];
  for (let image = 0; image < count; image += 1) {
    const planes = file.subarray(end + image * IMAGE_BYTES, end + (image + 1) * IMAGE_BYTES);
    const rgb = Buffer.alloc(IMAGE_BYTES);
    for (let pixel = 0; pixel < PIXELS; pixel += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        rgb[pixel * 3 + channel] = planes[channel * PIXELS + pixel];
      }
    }
    images.push(rgb);
  }
  return { images, metadata: header.__metadata__ };
}
