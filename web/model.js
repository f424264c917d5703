// One model: seeds, truncation, noise, edits; every move is a new picture.

import * as api from './api.js';
import { attempt, button, choice, h, notice, number, slider } from './elements.js';
import { describe, editSliders } from './edit-sliders.js';
import { exportDialog } from './export.js';
import { PictureView, pictureButton } from './picture-view.js';
import { queryOf } from './search.js';
import { nameOf, ofSeed, recipe, store, take, titleOf } from './store.js';

const NEIGHBORS = 12;
const MOST_SEED = 2 ** 32 - 1;

export function modelView({ go }) {
  if (!store.picture) {
    const first = store.models[0];
    if (!first) return { element: h('p', { className: 'empty' }, 'No models here yet. Drop one on Models.') };
    take(ofSeed(first.id, 0), titleOf(ofSeed(first.id, 0)));
  }
  const picture = store.picture;
  const view = new PictureView({ label: 'The picture', className: 'picture main' });
  const title = h('p', { className: 'caption' });
  const panel = h('div', { className: 'panel' }, h('p', { className: 'muted' }, 'Loading the model …'));
  const grid = h('div', { className: 'grid-seeds' });
  const seedField = h('input', { type: 'number', min: 0, max: MOST_SEED, step: 1, aria: { label: 'Seed' },
    onchange: () => { if (seedField.value !== '' && seedField.checkValidity()) toSeed(seedField.valueAsNumber); else seedField.reportValidity(); } });

  const EDITED = ', edited';
  // What is no seed keeps the name that it came with.
  const named = store.title.endsWith(EDITED) ? store.title.slice(0, -EDITED.length) : store.title;
  const redraw = () => {
    title.textContent = (picture.latent.seed ? titleOf(picture) : named) + (recipe(picture).edits.length ? EDITED : '');
    store.title = title.textContent;
    return view.show(recipe(picture));
  };

  function toSeed(seed) {
    const wrapped = ((seed % (MOST_SEED + 1)) + MOST_SEED + 1) % (MOST_SEED + 1);
    const old = picture.latent.seed ?? { truncation_psi: 1 };
    picture.latent = { seed: { ...old, seed: wrapped } };
    seedField.value = wrapped;
    redraw();
    fillGrid();
  }

  function fillGrid() {
    const old = picture.latent.seed;
    if (!old) return grid.replaceChildren();
    const first = Math.floor(old.seed / NEIGHBORS) * NEIGHBORS;
    return grid.replaceChildren(...Array.from({ length: NEIGHBORS }, (_, index) => {
      const seed = first + index;
      const tile = pictureButton(recipe({ ...picture, edits: [], latent: { seed: { ...old, seed } } }), `Seed ${seed}`, () => toSeed(seed));
      if (seed === old.seed) tile.setAttribute('aria-pressed', 'true');
      return tile;
    }));
  }

  const step = (by) => () => toSeed((picture.latent.seed?.seed ?? 0) + by);
  const seeds = h('div', { className: 'row center' },
    button('Previous', step(-1)), seedField, button('Next', step(1)),
    button('Random', () => toSeed(Math.floor(Math.random() * MOST_SEED))));

  function fillPanel(about) {
    const old = picture.latent.seed;
    const truncation = old ? h('section', {}, h('h3', {}, 'Latent'), h('div', { className: 'sliders' },
      about.truncation ? slider({ label: 'Truncation ψ', min: 0, max: 1.5, step: 0.01, value: old.truncation_psi ?? 1,
        hint: '1 leaves latents as they are, smaller values pull them to the mean', change: (psi) => { picture.latent.seed.truncation_psi = psi; redraw(); } }) : null,
      about.truncation ? slider({ label: 'Cutoff', min: 0, max: about.layers, step: 1, decimals: 0, unit: ` of ${about.layers}`, value: old.truncation_cutoff ?? about.layers,
        hint: 'Only so many of the first layers are truncated',
        change: (cutoff) => { picture.latent.seed.truncation_cutoff = cutoff === about.layers ? null : cutoff; redraw(); } }) : null,
      about.classes ? number('Class', { min: 0, max: about.classes - 1, value: old.class ?? 0, change: (value) => { picture.latent.seed.class = value; redraw(); fillGrid(); } }) : null)) : null;
    if (about.classes && old && old.class === undefined) old.class = 0;
    const noise = choice('Noise', [['constant', 'the model’s own'], ['random', 'random'], ['none', 'none']], picture.noise_mode,
      (mode) => { picture.noise_mode = mode; redraw(); fillGrid(); });
    const refined = picture.latent.refined
      ? h('p', { className: 'muted' }, 'This inversion is refined. Edits move its latents, and what was added to the features stays.') : null;
    panel.replaceChildren(...[refined, truncation, about.noise ? noise : null, editSliders(about, picture, redraw)].filter(Boolean));
  }

  const models = choice('Model', store.models.map((model) => [model.id, model.name]), picture.model, (id) => {
    take(ofSeed(id, picture.latent.seed?.seed ?? 0), nameOf(id));
    go('model');
  });
  const keep = () => {
    store.strip.push({ ...structuredClone(recipe(picture)), title: store.title });
    notice(`Put on the strip of Interpolate: ${store.title}.`);
  };
  const like = () => attempt(async () => {
    await queryOf(await api.picture(recipe(picture)));
    go('search');
  });
  const actions = h('div', { className: 'row center' },
    button('More like this', like), button('Put on the strip', keep), button('Drag', () => go('drag')),
    button('Export', () => exportDialog(picture), { className: 'primary' }));

  const keys = (event) => {
    if (event.target.closest('input, select, textarea, dialog') || event.ctrlKey || event.metaKey || event.altKey || !picture.latent.seed) return;
    if (event.key === 'ArrowRight') step(1)();
    else if (event.key === 'ArrowLeft') step(-1)();
    else return;
    event.preventDefault();
  };
  document.addEventListener('keydown', keys);

  const hasSeed = Boolean(picture.latent.seed);
  seedField.value = picture.latent.seed?.seed ?? '';
  attempt(async () => {
    const about = await describe(picture.model);
    fillPanel(about);
    redraw();
    fillGrid();
  });
  return {
    element: h('div', {},
      h('div', { className: 'head' }, h('h1', {}, 'Model'), models),
      h('div', { className: 'bench' },
        h('div', { className: 'stage' }, view.canvas, title, hasSeed ? seeds : null, actions, hasSeed ? grid : null),
        panel)),
    leave: () => document.removeEventListener('keydown', keys),
  };
}
