// All models as cards.

import * as api from './api.js';
import { attempt, button, choice, dropZone, h, notice } from './elements.js';
import { PictureView } from './picture-view.js';
import { ofSeed, store, take } from './store.js';

const SAMPLES = 4;
/** Pictures of samples have white lines of so many pixels. */
const PADDING = 2;

/** Orders of the grid: name, text, and what is compared. Models without a measure come last. */
const measure = (model) => model.card?.quality?.frechet_distance ?? Infinity;
const ORDERS = {
  name: ['Name', (a, b) => a.name.localeCompare(b.name)],
  distance: ['Fréchet distance', (a, b) => measure(a) - measure(b)],
  images: ['Training images', (a, b) => (b.card?.training?.images ?? 0) - (a.card?.training?.images ?? 0)],
  training: ['Training length', (a, b) => (b.card?.training?.kimg ?? 0) - (a.card?.training?.kimg ?? 0)],
};

const state = { filter: '', order: 'name' };

export function modelsView({ go }) {
  const grid = h('div', { className: 'cards' });
  const count = h('p', { className: 'muted', role: 'status' });
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      entry.target.load();
    }
  }, { rootMargin: '300px' });

  function fill() {
    const wanted = state.filter.trim().toLowerCase();
    const text = (model) => `${model.name} ${model.card?.art?.artist ?? ''} ${model.card?.art?.title ?? ''} ${model.card?.license ?? ''}`.toLowerCase();
    const found = store.models.filter((model) => text(model).includes(wanted)).sort(ORDERS[state.order][1]);
    seen.disconnect();
    grid.replaceChildren(...found.map((model) => card(model, { go, seen })));
    count.textContent = found.length === store.models.length ? `${found.length} models` : `${found.length} of ${store.models.length} models`;
    if (!found.length) {
      grid.append(h('p', { className: 'empty' }, wanted ? `No model is called like “${state.filter}”.` : 'No models here yet: drop a checkpoint above.'));
    }
  }

  const filter = h('input', { type: 'search', value: state.filter, placeholder: 'Name, artist or license',
    oninput: () => { state.filter = filter.value; fill(); } });
  const drop = dropZone({
    text: 'Drop a generator: .pkl, .pt, .pth or .safetensors',
    accept: '.pkl,.pt,.pth,.safetensors',
    take: (files) => attempt(async () => {
      for (const file of files) {
        notice(`Reading ${file.name} …`);
        const about = await api.addModel(file);
        store.about.set(about.id, about);
        store.models = await api.models();
        fill();
        notice(`${about.name}: ${about.resolution} × ${about.resolution} pixels.`);
      }
    }),
  });
  fill();
  return {
    element: h('div', {},
      h('div', { className: 'head' }, h('h1', {}, 'Models'), count),
      h('div', { className: 'tools' },
        h('label', { className: 'field grow' }, h('span', {}, 'Filter'), filter),
        choice('Sort by', Object.entries(ORDERS).map(([key, [text]]) => [key, text]), state.order, (order) => { state.order = order; fill(); }),
        drop),
      grid),
    leave: () => seen.disconnect(),
  };
}

/** A model's card. It loads its pictures when it is seen. */
export function card(model, { go, seen, note }) {
  const about = model.card;
  const views = Array.from({ length: SAMPLES }, (_, index) => new PictureView({ label: `Sample ${index + 1} of ${model.name}` }));
  const pictures = h('div', { className: 'samples' }, views.map((view) => view.canvas));
  const open = () => { take(ofSeed(model.id, 0), `${model.name}, seed 0`); go('model'); };
  const quality = about?.quality?.frechet_distance;
  const facts = [
    about?.training?.kimg && ['Training', `${(about.training.images ?? 0).toLocaleString('en')} images, ${about.training.kimg} kimg`],
    quality !== undefined && quality !== null && ['Distance', quality.toFixed(0)],
    about?.license && ['License', about.license],
  ].filter(Boolean);
  const element = h('article', { className: 'card', data: { model: model.id } },
    h('button', { type: 'button', className: 'tile', onclick: open, aria: { label: `Open ${model.name}` } }, pictures),
    h('div', { className: 'card-text' },
      h('h2', {}, model.name),
      h('p', { className: 'muted' }, about?.art?.artist ? `after ${about.art.artist}` : model.origin === 'zoo' ? '' : model.origin === 'own' ? 'from your folder' : 'dropped here'),
      model.problem ? h('p', { className: 'warn' }, model.problem) : null,
      note ?? null,
      facts.length ? h('dl', {}, facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])) : null,
      model.origin === 'zoo' ? button('More like this', () => go(`search/like/${encodeURIComponent(model.id)}`), { className: 'quiet' }) : null));
  element.load = () => load(model, views);
  seen?.observe(element);
  return element;
}

async function load(model, views) {
  const side = model.card?.configuration?.img_resolution;
  try {
    if (model.origin !== 'zoo' || !side) throw new Error('no picture of samples');
    const sheet = await createImageBitmap(await api.samples(model.id));
    for (const [index, view] of views.entries()) {
      const left = PADDING + index * (side + PADDING);
      const part = await createImageBitmap(sheet, left, PADDING, side, side);
      view.bitmap(part);
    }
  } catch {
    // Without such a picture they are made.
    await attempt(async () => {
      for (const [index, view] of views.entries()) await view.blob(await api.picture(ofSeed(model.id, index)));
    });
  }
}
