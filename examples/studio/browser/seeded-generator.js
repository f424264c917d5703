// A generator of the official layout for large pictures, with random weights of a seed: how long it takes does not depend on their values.

import { closeSync, openSync, writeSync } from 'node:fs';

const W_DIM = 512;
const MAPPING_LAYERS = 8;
const LR_MULTIPLIER = 0.01;
/** Of the official configuration for 256x256 pixels. */
const CHANNEL_BASE = 16384;
const CHANNEL_MAX = 512;
const FILTER = [1, 3, 3, 1];

/** Normal numbers of a seed: mulberry32, in pairs by Box and Muller. */
function normals(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Names, shapes and values of all tensors. */
function tensors(resolution) {
  const normal = normals(1);
  const found = [];
  const add = (name, shape, value) => found.push([name, shape, value]);
  const channels = (side) => Math.min(CHANNEL_BASE / side, CHANNEL_MAX);
  const sum = FILTER.reduce((total, weight) => total + weight) ** 2;
  const filter = FILTER.flatMap((row) => FILTER.map((column) => (row * column) / sum));
  const addFilter = (name) => add(name, [FILTER.length, FILTER.length], (index) => filter[index]);
  const addAffine = (name, outputs) => {
    add(`${name}.affine.weight`, [outputs, W_DIM], normal);
    add(`${name}.affine.bias`, [outputs], () => 1);
  };
  for (let layer = 0; layer < MAPPING_LAYERS; layer += 1) {
    add(`mapping.fc${layer}.weight`, [W_DIM, W_DIM], () => normal() / LR_MULTIPLIER);
    add(`mapping.fc${layer}.bias`, [W_DIM], () => 0);
  }
  add('mapping.w_avg', [W_DIM], () => 0);
  for (let side = 4; side <= resolution; side *= 2) {
    const block = `synthesis.b${side}`;
    const outputs = channels(side);
    const convolution = (name, inputs) => {
      addAffine(`${block}.${name}`, inputs);
      add(`${block}.${name}.weight`, [outputs, inputs, 3, 3], normal);
      add(`${block}.${name}.bias`, [outputs], () => 0);
      add(`${block}.${name}.noise_const`, [side, side], normal);
      add(`${block}.${name}.noise_strength`, [], () => 0.1);
      addFilter(`${block}.${name}.resample_filter`);
    };
    if (side === 4) add(`${block}.const`, [outputs, side, side], normal);
    else convolution('conv0', channels(side / 2));
    convolution('conv1', outputs);
    addAffine(`${block}.torgb`, outputs);
    add(`${block}.torgb.weight`, [3, outputs, 1, 1], normal);
    add(`${block}.torgb.bias`, [3], () => 0);
    addFilter(`${block}.resample_filter`);
  }
  return found;
}

/** Writes a generator for pictures of `resolution` pixels a side as safetensors. */
export function writeSeededGenerator(file, resolution) {
  const config = {
    z_dim: W_DIM, c_dim: 0, w_dim: W_DIM, img_resolution: resolution, img_channels: 3,
    mapping_kwargs: { num_layers: MAPPING_LAYERS, lr_multiplier: LR_MULTIPLIER },
    synthesis_kwargs: { channel_base: CHANNEL_BASE, channel_max: CHANNEL_MAX, num_fp16_res: 0, conv_clamp: null },
  };
  const header = { __metadata__: { config: JSON.stringify(config) } };
  const all = tensors(resolution);
  const length = (shape) => shape.reduce((product, size) => product * size, 1);
  let end = 0;
  for (const [name, shape] of all) {
    const begin = end;
    end += 4 * length(shape);
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  // The numbers begin at a multiple of 8.
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  const out = openSync(file, 'w');
  writeSync(out, size);
  writeSync(out, padded);
  for (const [, shape, value] of all) writeSync(out, new Uint8Array(Float32Array.from({ length: length(shape) }, (_, index) => value(index)).buffer));
  closeSync(out);
}
