// A worker that computes: calls come as messages, and what they need of weights is fetched.

import init, * as engine from './engine.js';
import { Store } from './site-files.js';
import { Studio } from './studio.js';

/** Milliseconds between two looks at whether a job is to end. */
const BETWEEN_LOOKS = 200;

/** Whether an address is gone. A worker can wait for an answer, as it has nothing else to do. */
function goneAfter(address) {
  let last = performance.now();
  let gone = false;
  return () => {
    const now = performance.now();
    if (gone || now - last < BETWEEN_LOOKS) return gone;
    last = now;
    const request = new XMLHttpRequest();
    request.open('GET', address, false);
    try {
      request.send();
      gone = request.status !== 200;
    } catch {
      gone = true;
    }
    return gone;
  };
}

async function begin({ module, start }) {
  try {
    await init({ module_or_path: module });
    const store = new Store({ start, told: (fetching) => postMessage({ fetching }) });
    return new Studio(engine, store, start);
  } catch (error) {
    throw new Error(`The part of the page that computes could not be started: ${error.message}`);
  }
}

const begun = new Promise((resolve) => {
  addEventListener('message', ({ data }) => resolve(begin(data)), { once: true });
});
// Each call says so.
begun.catch(() => {});

addEventListener('message', async ({ data: { call, method, values, cancel } }) => {
  if (method === undefined) return;
  let studio;
  try {
    studio = await begun;
  } catch (error) {
    postMessage({ call, error: error.message, ended: true });
    return;
  }
  const tell = (event, value) => postMessage({ call, event, value });
  const more = cancel ? [tell, goneAfter(cancel)] : [];
  try {
    const value = await studio.call(method, [...values.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value)), ...more]);
    postMessage({ call, value }, value instanceof Uint8Array ? [value.buffer] : []);
  } catch (error) {
    const ended = error instanceof WebAssembly.RuntimeError;
    const words = ended ? 'This failed inside the program; the browser’s console says why.' : error.message;
    postMessage({ call, error: words, ended });
  }
});
