// What is being fetched, in the corner of the page.

import { h } from './elements.js';

const shown = new Map();

/** How a file is called for people: `zoo/micah/generator.safetensors` is micah. */
const title = (name) => name.match(/^zoo\/([^/]+)\/generator/)?.[1] ?? name.split('/').at(-1).replace(/\.(safetensors|ganymede)$/, '').replaceAll('_', ' ');

/** Shows how far a file has come: `{name, done, total}` in bytes. What is quickly there is not shown. */
export function showFetching({ name, done, total }) {
  if (done >= total) {
    const line = shown.get(name);
    clearTimeout(line?.timer);
    line?.element?.remove();
    shown.delete(name);
    return;
  }
  let line = shown.get(name);
  if (!line) {
    line = { done, total };
    line.timer = setTimeout(() => {
      line.bar = h('progress', { max: line.total, value: line.done, aria: { label: `Fetching ${title(name)}` } });
      line.element = h('div', { className: 'notice fetching' }, h('span', {}, `Fetching ${title(name)}, ${(line.total / 1e6).toFixed(1)} MB`), line.bar);
      document.getElementById('notices').append(line.element);
    }, 300);
    shown.set(name, line);
  }
  line.done = done;
  if (line.bar) line.bar.value = done;
}
