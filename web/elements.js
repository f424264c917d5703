// Elements of the page. Text is always text: nothing that a file or a name says becomes markup.

/** An element. `properties` are those of the DOM, or `on*` listeners, `data` and `aria` objects. Children are nodes or texts. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'aria') for (const [key, text] of Object.entries(value)) element.setAttribute(`aria-${key}`, text);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An element of SVG with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A short message that goes away; errors stay until they are closed. */
export function notice(text, { error = false } = {}) {
  const close = () => box.remove();
  const box = h('div', { className: error ? 'notice error' : 'notice' }, h('span', {}, text),
    h('button', { type: 'button', className: 'plain', onclick: close, aria: { label: 'Close this message' } }, '×'));
  const notices = document.getElementById('notices');
  // One at a time, but for errors.
  if (!error) notices.querySelector('.notice:not(.error, .fetching)')?.remove();
  notices.append(box);
  if (!error) setTimeout(close, 5000);
}

/** Runs what may fail and shows why. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === 'AbortError') return undefined;
    notice(error.message, { error: true });
    return undefined;
  }
}

/** A labeled slider with its number beside it. `change` hears every move. */
export function slider({ label, min, max, step, value, unit = '', decimals = 2, change, hint }) {
  const shown = (number) => `${number > 0 && min < 0 ? '+' : ''}${number.toFixed(decimals)}${unit}`;
  const output = h('output', {}, shown(value));
  // The track is filled from zero on, wherever that is.
  const fill = () => {
    const place = (number) => (100 * (number - min)) / (max - min);
    const ends = [place(Math.max(min, 0)), place(input.valueAsNumber)].sort((a, b) => a - b);
    input.style.setProperty('--from', `${ends[0]}%`);
    input.style.setProperty('--to', `${ends[1]}%`);
  };
  const input = h('input', {
    type: 'range', min, max, step, value, aria: { label },
    oninput: () => { output.textContent = shown(input.valueAsNumber); fill(); change(input.valueAsNumber); },
  });
  input.value = value;
  fill();
  // Back to the middle with a double click, as in every darkroom.
  input.addEventListener('dblclick', () => { input.value = value0; input.dispatchEvent(new Event('input')); });
  const value0 = min < 0 ? 0 : value;
  return h('label', { className: 'slider', title: hint }, h('span', {}, label), input, output);
}

/** A labeled choice of `[value, text]`. */
export function choice(label, options, value, change) {
  const select = h('select', { onchange: () => change(select.value) },
    options.map(([key, text]) => h('option', { value: key }, text)));
  select.value = value;
  return h('label', { className: 'field' }, h('span', {}, label), select);
}

/** A labeled box to tick, with a hint below. */
export function toggle(label, value, change, hint) {
  const input = h('input', { type: 'checkbox', checked: value, aria: { label, description: hint }, onchange: () => change(input.checked) });
  return h('label', { className: 'toggle' }, input, h('span', {}, label, h('small', {}, hint)));
}

/** A labeled number. */
export function number(label, { min, max, step = 1, value, change }) {
  const input = h('input', { type: 'number', min, max, step, onchange: () => {
    if (input.value !== '' && input.checkValidity()) change(input.valueAsNumber);
    else input.reportValidity();
  } });
  input.value = value;
  return h('label', { className: 'field' }, h('span', {}, label), input);
}

/** A button. */
export const button = (text, onclick, properties = {}) => h('button', { type: 'button', onclick, ...properties }, text);

/** Hands a Blob to the user as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A place that takes files: dropped, pasted while it is on the page, or chosen. */
export function dropZone({ text, accept, multiple = true, take }) {
  const input = h('input', { type: 'file', accept, multiple, className: 'hidden', tabIndex: -1,
    onchange: () => { take([...input.files]); input.value = ''; } });
  const zone = h('div', { className: 'drop' },
    h('p', {}, text), button('Choose a file', () => input.click(), { className: 'quiet' }), input);
  zone.addEventListener('dragover', (event) => { event.preventDefault(); zone.classList.add('over'); });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove('over');
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
  const paste = (event) => {
    if (!zone.isConnected) return document.removeEventListener('paste', paste);
    const files = [...event.clipboardData.files];
    if (files.length) { event.preventDefault(); take(files); }
    return undefined;
  };
  document.addEventListener('paste', paste);
  return zone;
}
