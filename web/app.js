// The frame of the page: views by address, the session, files dropped anywhere.

import * as api from './api.js';
import { attempt, h, notice } from './elements.js';
import { sessionControls } from './session.js';
import { setUsualInversion, store } from './store.js';
import { modelsView } from './models.js';
import { searchView } from './search.js';
import { modelView } from './model.js';
import { invertView } from './invert.js';
import { interpolateView } from './interpolate.js';
import { dragView } from './drag.js';

const VIEWS = [
  ['models', 'Models', modelsView],
  ['search', 'Search', searchView],
  ['model', 'Model', modelView],
  ['invert', 'Invert', invertView],
  ['interpolate', 'Interpolate', interpolateView],
  ['drag', 'Drag', dragView],
];

const main = document.getElementById('main');
const nav = document.getElementById('nav');
let leave = () => {};

/** Goes to a view. */
export function go(view) {
  const address = `#/${view}`;
  if (location.hash === address) render();
  else location.hash = address;
}

async function render() {
  const [name, ...rest] = location.hash.replace(/^#\//, '').split('/');
  const found = VIEWS.find(([id]) => id === name) ?? VIEWS[0];
  leave();
  leave = () => {};
  for (const link of nav.children) {
    if (link.dataset.view === found[0]) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${found[1]} – Ganymede Studio`;
  const view = found[2]({ go, argument: rest.map(decodeURIComponent).join('/') });
  leave = view.leave ?? leave;
  const hadFocus = main.contains(document.activeElement);
  main.replaceChildren(view.element);
  // What had the focus is gone: the keyboard goes on from the new view's start.
  if (hadFocus) main.focus({ preventScroll: true });
}

async function load() {
  const [models, status] = await Promise.all([api.models(), api.status()]);
  store.models = models;
  store.lpips = status.lpips;
  setUsualInversion(status.inversion);
}

async function start() {
  nav.append(...VIEWS.map(([id, text]) => h('a', { href: `#/${id}`, data: { view: id } }, text)));
  document.getElementById('session').append(...sessionControls(render));
  main.append(h('p', { className: 'empty' }, 'Looking at the models …'));
  const loaded = await attempt(async () => { await load(); return true; });
  if (!loaded) {
    main.replaceChildren(h('p', { className: 'empty' }, 'The models cannot be listed. Reload this page to try again.'));
    return;
  }
  addEventListener('hashchange', () => { render(); scrollTo(0, 0); });
  render();
}

// The address names a view, so that a link into the page cannot.
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });

// A file that misses its place must not replace the page.
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  notice('Drop images on Search or Invert, and checkpoints on Models.');
});

start();
