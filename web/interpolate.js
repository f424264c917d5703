// Interpolation: pictures of one model on a strip, and the way through them.

import { attempt, button, choice, h, notice, number } from './elements.js';
import { exportDialog } from './export.js';
import * as api from './api.js';
import { PictureView } from './picture-view.js';
import { nameOf, ofSeed, recipe, store, titleOf } from './store.js';

export function interpolateView({ go }) {
  const { course } = store;
  const strip = h('ol', { className: 'strip' });
  const view = new PictureView({ label: 'The way through the strip', className: 'picture main' });
  const status = h('p', { className: 'muted', role: 'status' });
  let frames = [];
  let playing = true;
  let timer = null;
  let generation = 0;

  function wanted() {
    const points = store.strip.map(({ latent, edits }) => ({ latent, edits }));
    const { easing, interpolation, closed } = course;
    return { ...recipe({ ...store.strip[0], edits: [] }), latent: { course: { points, easing, interpolation, closed } } };
  }

  function show() {
    strip.replaceChildren(...store.strip.map((picture, index) => {
      const tile = new PictureView({ label: picture.title });
      tile.show(recipe(picture));
      const move = (by) => { const [taken] = store.strip.splice(index, 1); store.strip.splice(index + by, 0, taken); changed(); };
      return h('li', {}, tile.canvas, h('span', {}, picture.title), h('div', { className: 'row' },
        button('←', () => move(-1), { className: 'plain', disabled: index === 0, aria: { label: `Move ${picture.title} back` } }),
        button('→', () => move(1), { className: 'plain', disabled: index === store.strip.length - 1, aria: { label: `Move ${picture.title} on` } }),
        button('×', () => { store.strip.splice(index, 1); changed(); }, { className: 'plain', aria: { label: `Take ${picture.title} off the strip` } })));
    }));
    if (!store.strip.length) strip.append(h('li', { className: 'empty' }, 'The strip is empty. Put pictures on it from Model or Invert, or add seeds here.'));
  }

  async function render() {
    const mine = ++generation;
    frames = [];
    const models = new Set(store.strip.map(({ model, tuned }) => `${model} ${tuned ?? ''}`));
    exportButton.disabled = true;
    if (store.strip.length < 2) { status.textContent = 'Two pictures make a way.'; return; }
    if (models.size > 1) { status.textContent = 'These pictures are of several models, or of one that was tuned in several ways; a way goes through one.'; return; }
    const base = wanted();
    const count = course.frames;
    const steps = course.closed ? count : count - 1;
    const made = [];
    for (let index = 0; index < count; index += 1) {
      const frame = structuredClone(base);
      frame.latent.course.time = index / steps;
      made.push(await createImageBitmap(await api.picture(frame)));
      if (mine !== generation) return;
      status.textContent = `${index + 1} of ${count} frames`;
    }
    frames = made;
    exportButton.disabled = false;
    strip.dataset.frames = count;
  }

  const changed = () => { show(); attempt(render); };
  const set = (name) => (value) => { course[name] = value; attempt(render); };
  let position = 0;
  const play = () => {
    if (frames.length && playing) {
      position = (position + 1) % frames.length;
      view.bitmap(frames[position]);
      scrubber.max = frames.length - 1;
      scrubber.value = position;
    }
    timer = setTimeout(play, 1000 / course.frames_per_second);
  };
  const scrubber = h('input', { type: 'range', min: 0, max: 1, value: 0, aria: { label: 'Frame' }, oninput: () => {
    playing = false;
    playButton.textContent = 'Play';
    position = scrubber.valueAsNumber;
    if (frames[position]) view.bitmap(frames[position]);
  } });
  const playButton = button('Pause', () => { playing = !playing; playButton.textContent = playing ? 'Pause' : 'Play'; });
  const exportButton = button('Export', () => exportDialog(wanted(), { course }), { className: 'primary' });
  const addSeed = () => {
    const from = store.strip[0] ?? store.picture;
    const model = from?.model ?? store.models[0]?.id;
    if (!model) { notice('No models here yet.'); return; }
    const seed = Math.floor(Math.random() * 10000);
    const picture = { ...ofSeed(model, seed), ...(from?.tuned ? { tuned: from.tuned } : {}) };
    store.strip.push({ ...picture, title: titleOf(picture) });
    changed();
  };

  show();
  attempt(render);
  play();
  return {
    element: h('div', {},
      h('div', { className: 'head' }, h('h1', {}, 'Interpolate'), status),
      strip,
      h('div', { className: 'bench' },
        h('div', { className: 'stage' }, view.canvas, scrubber, h('div', { className: 'row center' }, playButton, exportButton)),
        h('div', { className: 'panel' },
          h('div', { className: 'row' }, button('Add a random seed', addSeed), button('Clear the strip', () => { store.strip.length = 0; changed(); }, { className: 'quiet' })),
          choice('Easing', [['linear', 'even'], ['cosine', 'cosine'], ['smooth_step', 'smoothstep'], ['smoother_step', 'smootherstep']], course.easing, set('easing')),
          choice('Way', [['linear', 'straight'], ['spherical', 'about the mean latent']], course.interpolation, set('interpolation')),
          choice('End', [['loop', 'back to the first: a loop'], ['end', 'at the last']], course.closed ? 'loop' : 'end', (value) => set('closed')(value === 'loop')),
          number('Frames', { min: 2, max: 600, value: course.frames, change: set('frames') }),
          number('Frames a second', { min: 1, max: 60, value: course.frames_per_second, change: (value) => { course.frames_per_second = value; } }),
          store.strip[0] ? h('p', { className: 'muted' }, `Model: ${nameOf(store.strip[0].model)}`) : null))),
    leave: () => { generation += 1; clearTimeout(timer); },
  };
}
