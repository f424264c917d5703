// The site's files: fetched once, unpacked, and kept by the browser under names that change with their content.

const CACHE = 'ganymede-files';

/** The first byte of what gzip packs. Some servers unpack what they send. */
const GZIP = 0x1F;

/** Where there is one: a page that is not secure has no cache, nor has one whose user has it switched off. */
const opened = async () => globalThis.caches?.open(CACHE).catch(() => undefined);

/** What `make` gives, made when it is first asked for; where that failed, it is made again the next time. */
function once(make) {
  let made;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

export class Store {
  #told;
  #coming = new Map();

  /** `start` is what the site says of its files, where it is known; `told` hears how far fetching is: `{name, done, total}`. */
  constructor({ start, told = () => {} } = {}) {
    this.#told = told;
    if (start) this.start = async () => start;
  }

  /** What the site says of its files: `{engine, files, texts}`. */
  start = once(async () => {
    const answer = await fetch(new URL('./start.packed', import.meta.url), { cache: 'no-cache' });
    if (!answer.ok) throw new Error(`This site has no start.packed: the server answered ${answer.status}.`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const start = JSON.parse(new TextDecoder().decode(await decompressed(bytes, bytes[0] === GZIP)));
    // What stays behind takes room, and does no other harm.
    removeOthers(start).catch(() => {});
    return start;
  });

  /** The engine, compiled. */
  engine = once(async () => {
    const { engine } = await this.start();
    return WebAssembly.compile(await this.#fetched('program', engine));
  });

  /** The bytes of a file of weights. */
  async file(name) {
    const found = (await this.start()).files[name];
    if (!found) throw new Error(`This site has no ${name}.`);
    let coming = this.#coming.get(name);
    if (!coming) {
      coming = this.#fetched(name, found).finally(() => this.#coming.delete(name));
      this.#coming.set(name, coming);
    }
    return coming;
  }

  async #fetched(name, { packed, size, length }) {
    const address = new URL(packed, import.meta.url);
    const cache = await opened();
    const kept = await cache?.match(address).catch(() => undefined);
    if (kept) return unpacked(new Uint8Array(await kept.arrayBuffer()), length, name);
    let bytes;
    try {
      bytes = await this.#read(await fetch(address), name, size);
    } catch (error) {
      throw new Error(`${name} could not be fetched: ${error.message}`);
    } finally {
      this.#told({ name, done: size, total: size });
    }
    const whole = await unpacked(bytes, length, name);
    // Where there is no room, it is fetched again another time.
    await cache?.put(address, new Response(bytes)).catch(() => {});
    return whole;
  }

  async #read(answer, name, size) {
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const pieces = [];
    let done = 0;
    const reader = answer.body.getReader();
    for (;;) {
      const { value, done: over } = await reader.read();
      if (over) break;
      pieces.push(value);
      done += value.length;
      this.#told({ name, done, total: Math.max(size, done) });
    }
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  }
}

/** Takes out of the cache what this site had and has no more. */
async function removeOthers({ engine, files }) {
  const cache = await opened();
  const addresses = new Set([engine, ...Object.values(files)].map(({ packed }) => new URL(packed, import.meta.url).href));
  // Another site may lie beside this one, at the same host.
  const here = new URL('./', import.meta.url).href;
  for (const { url } of await cache?.keys() ?? []) if (url.startsWith(here) && !addresses.has(url)) await cache.delete(url);
}

async function decompressed(bytes, packed) {
  const stream = new Blob([bytes]).stream();
  return new Uint8Array(await new Response(packed ? stream.pipeThrough(new DecompressionStream('gzip')) : stream).arrayBuffer());
}

/** The bytes of a packed file, which are so many. */
async function unpacked(bytes, length, name) {
  const whole = await decompressed(bytes, bytes.length !== length);
  if (whole.length !== length) throw new Error(`${name} was not fetched whole: ${whole.length} bytes, expected ${length}. Reload the page.`);
  return whole;
}
