// What the page asks for, answered in the browser by workers and not by a server. It has the functions of the server's `api.js`, whose place it takes.
//
// A lane is a worker, so that pictures need not wait for inversions. What computes could be another thing than wasm, such as WebGPU: the lane's messages
// are all that this file knows of it.

import { showFetching } from './fetching.js';
import { Store } from './site-files.js';

export class ApiError extends Error {}

const store = new Store({ told: showFetching });

// Compiled once for all lanes, before the first of them needs it. Who needs it hears why that failed.
store.engine().catch(() => {});

/** What was given to the page, or found by it, by id: how a lane that has not got it is told of it. */
const given = new Map();

/** Milliseconds that a job has to end when it is asked to. */
const GRACE = 15000;

class Lane {
  #worker = null;
  /** Resolved with the worker when it has been told what to begin with. */
  #begun = null;
  /** Why the last worker ended. */
  #reason = '';
  #calls = new Map();
  #next = 0;
  /** What was given that this lane has or is being told of, by id: settled when it has it. */
  #has = new Map();

  #started() {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  async #begin() {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#worker = worker;
    worker.addEventListener('message', ({ data }) => this.#heard(data));
    worker.addEventListener('error', (event) => { event.preventDefault(); this.end(`The part of the page that computes could not be started: ${event.message ?? ''}`); });
    try {
      const [module, start] = await Promise.all([store.engine(), store.start()]);
      worker.postMessage({ module, start });
    } catch (error) {
      if (worker === this.#worker) this.end(error.message);
    }
    return worker;
  }

  #heard({ call, event, value, error, ended, fetching }) {
    if (fetching) { showFetching(fetching); return; }
    const waiting = this.#calls.get(call);
    if (!waiting) return;
    if (event) { waiting.events?.(event, value); return; }
    this.#calls.delete(call);
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(new ApiError(error));
    // A program that has panicked is in no state to go on.
    if (ended) this.end(error);
  }

  /** Ends the worker; the next call starts another. */
  end(reason) {
    this.#reason = reason;
    this.#worker?.terminate();
    this.#worker = null;
    this.#begun = null;
    this.#has.clear();
    for (const { reject } of this.#calls.values()) reject(new ApiError(reason));
    this.#calls.clear();
  }

  /** Tells the lane of what a call names and it has not heard of. */
  async #share(value) {
    await Promise.all(named(value).map((id) => this.#has.get(id) ?? this.#tell(id)));
  }

  #tell(id) {
    const { method, blob } = given.get(id);
    const told = this.#hand(method, blob);
    this.#has.set(id, told);
    told.catch(() => { if (this.#has.get(id) === told) this.#has.delete(id); });
    return told;
  }

  async #hand(method, blob) {
    return this.#send(method, [...(method === 'addModel' ? [blob.name] : []), await blob.arrayBuffer()]);
  }

  async #send(method, values, { events, cancel } = {}) {
    const worker = await this.#started();
    // It may have ended before it had begun.
    if (worker !== this.#worker) throw new ApiError(this.#reason);
    const call = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject, events });
      worker.postMessage({ call, method, values, cancel }, values.filter((value) => value instanceof ArrayBuffer));
    });
  }

  /** Calls a method of the engine's worker. `events` hears what it tells, `cancel` is an address that is gone when it is to end. */
  async call(method, values, options) {
    await this.#share(values);
    return this.#send(method, values.map((value) => (isPlain(value) ? JSON.stringify(value) : value)), options);
  }

  /** Gives a file; what the answer names is known to all lanes from then on. */
  async give(method, blob, id) {
    const answer = await this.#hand(method, blob);
    const name = id(answer);
    given.set(name, { method, blob });
    // Another file may have had this name.
    for (const lane of lanes) lane.#has.delete(name);
    this.#has.set(name, Promise.resolve());
    return answer;
  }
}

const isPlain = (value) => typeof value === 'object' && !(value instanceof ArrayBuffer);

/** Ids of what was given that a value names. */
function named(value) {
  if (typeof value === 'string') return given.has(value) ? [value] : [];
  if (value === null || typeof value !== 'object' || value instanceof ArrayBuffer) return [];
  return Object.values(value).flatMap(named);
}

/** Pictures and searches, and beside them inversions and drags. */
const pictures = new Lane();
const work = new Lane();
const lanes = [pictures, work];

const png = (bytes) => new Blob([bytes], { type: 'image/png' });
const file = (bytes) => new Blob([bytes], { type: 'application/octet-stream' });

export const status = () => pictures.call('status', []).then(JSON.parse);
export const models = async () => JSON.parse(await pictures.call('models', [])).models;
export const describe = (model) => pictures.call('describe', [model]).then(JSON.parse);
export const samples = async (model) => png(await store.file(`zoo/${model}/samples.png`));
export const addModel = (checkpoint) => pictures.give('addModel', checkpoint, (about) => JSON.parse(about).id).then(JSON.parse);
export const addImage = (blob) => pictures.give('addImage', blob, (image) => JSON.parse(image).id).then(JSON.parse);
export const addTuned = (blob) => pictures.give('addTuned', blob, (id) => id);
export const tuned = async (change) => file(await pictures.call('tuned', [change]));

export const picture = async (recipe, { enlarged = 1 } = {}) => png(await pictures.call('picture', [{ ...recipe, enlarged }]));
export const latents = async (recipe) => file(await pictures.call('latents', [recipe]));

export const animation = async (recipe, settings) =>
  new Blob([await pictures.call('animation', [{ ...recipe, ...settings }])], { type: 'image/gif' });

export const search = (query) => pictures.call('search', [query]).then(JSON.parse);
export const typicality = (model, score) => pictures.call('typicality', [{ model, score }]).then(JSON.parse);

/** Jobs that wait or run: by id, how to end them. */
const jobs = new Map();
let nextJob = 0;

/** Settled when the job before is over. */
let turn = Promise.resolve();

export async function cancel(job) {
  jobs.get(job)?.();
}

export const invert = (wanted, signal) => events('invert', wanted, signal);
export const drag = (wanted, signal) => events('drag', wanted, signal);

async function* events(method, wanted, signal) {
  const id = String(nextJob);
  nextJob += 1;
  const heard = [];
  let wake = () => {};
  const tell = (name, data) => { heard.push([name, data]); wake(); };
  // A worker that computes hears no messages, but it can see that an address is gone.
  const flag = URL.createObjectURL(new Blob(['go on']));
  let cancelled = false;
  let computing = false;
  let timer;
  const limit = () => { timer = setTimeout(() => work.end('This job was ended before it had found anything.'), GRACE); };
  const end = () => {
    // Whoever reads looks at the signal.
    wake();
    if (cancelled) return;
    cancelled = true;
    URL.revokeObjectURL(flag);
    // The lane may be at another job still.
    if (computing) limit();
  };
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  const before = turn;
  let over;
  turn = new Promise((resolve) => { over = resolve; });
  tell('job', { id, ahead: jobs.size });
  jobs.set(id, end);

  let running = true;
  (async () => {
    await before;
    if (cancelled && signal?.aborted) return;
    computing = true;
    if (cancelled) limit();
    tell('started', {});
    try {
      const result = JSON.parse(await work.call(method, [wanted], { cancel: flag, events: (name, data) => tell(name, JSON.parse(data)) }));
      // The lane of pictures has not seen what the other has found.
      for (const { tuned: change } of result.results ?? []) {
        if (change) given.set(change, { method: 'addTuned', blob: file(await work.call('tuned', [change])) });
      }
      tell('done', result);
    } catch (error) {
      tell('failed', { error: error.message });
    }
  })().finally(() => {
    computing = false;
    clearTimeout(timer);
    URL.revokeObjectURL(flag);
    jobs.delete(id);
    over();
    running = false;
    wake();
  });

  try {
    for (;;) {
      while (heard.length) {
        const [name, data] = heard.shift();
        if (signal?.aborted) throw new DOMException('Nobody listens any more.', 'AbortError');
        if (name === 'failed') throw new ApiError(data.error);
        yield [name, data];
      }
      if (!running) return;
      await new Promise((resolve) => {
        wake = resolve;
        if (heard.length || !running || signal?.aborted) resolve();
      });
      if (signal?.aborted) throw new DOMException('Nobody listens any more.', 'AbortError');
    }
  } finally {
    // Whoever stops reading wants no more of it.
    end();
  }
}
