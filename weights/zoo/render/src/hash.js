// FNV-1a with 64 bits in two 32-bit halves: BigInt arithmetic per byte would take longer than the rendering itself.

const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;
// The prime is 2^40 + 0x1b3, so that a product is a shift and a small multiple.
const PRIME_LOW = 0x1b3;
const TWO_32 = 2 ** 32;

/** fnv1a64 of `bytes` as its upper and lower 32 bits, `{ high, low }`, both unsigned. */
export function fnv1a64(bytes) {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * PRIME_LOW;
    high = (high * PRIME_LOW + Math.floor(product / TWO_32) + ((low << 8) >>> 0)) % TWO_32;
    low = product % TWO_32;
  }
  return { high, low };
}

/** The 16 hexadecimal digits of a hash. */
export function hashText({ high, low }) {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
