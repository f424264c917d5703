// Inversion: an image into one model, or into those at ranks 1, 10 and 15 side by side.

import * as api from './api.js';
import { attempt, button, dropZone, h, notice } from './elements.js';
import { Curve } from './curve.js';
import { exportDialog } from './export.js';
import { inversionOptions } from './inversion-options.js';
import { PictureView } from './picture-view.js';
import { atRanks, giveImages, rankQuery } from './search.js';
import { nameOf, store, take } from './store.js';

const RANKS = [1, 10, 15];
/** Where the reconstructions stand below the options. */
const NARROW = matchMedia('(max-width: 860px)');
/** JSON has no infinity, which is the ratio of a picture to itself. */
const decibels = (ratio) => (ratio === null ? '∞' : ratio.toFixed(2));
/** Of the last inversions: `{model, rank, found, wanted}`; `wanted` is how they were asked for. */
let results = [];
let into = 'ranks';

/** What a phase of the job does, in a word or two. */
function doing(phase) {
  if (phase.endsWith(', refined')) return 'refining';
  if (phase === 'tuning') return 'tuning';
  if (phase === 'regression of latents') return 'learning a start from samples:';
  return phase.startsWith('image ') ? 'step' : phase;
}

/** Steps of all phases that tell a loss. */
const stepsOf = ({ settings, tune, tune_steps }) => settings.steps + (tune ? tune_steps : 0) + (settings.refine ? settings.refine_steps : 0);

/** A change of a model as text, so that a session can hold it. */
async function keepTuned(id) {
  if (!id || store.tuned[id]) return;
  const bytes = new Uint8Array(await (await api.tuned(id)).arrayBuffer());
  store.tuned[id] = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

export function invertView({ go }) {
  const target = h('div', { className: 'query' });
  const columns = h('div', { className: 'columns' });
  const status = h('p', { className: 'muted', role: 'status' });
  let running = null;

  function showTarget() {
    const image = store.query[0];
    target.replaceChildren(...(image
      ? [h('div', { className: 'query-image' }, h('img', { src: image.url, alt: 'The image that is inverted' }))]
      : []));
    target.hidden = !image;
    startButton.disabled = !image;
    startButton.title = image ? '' : 'Give an image first';
  }

  const startButton = button('Invert', () => attempt(start), { className: 'primary' });
  const stopButton = button('Stop', () => running && (running.job ? api.cancel(running.job) : running.abort.abort()));

  function column(model, rank, wanted) {
    const view = new PictureView({ label: `Reconstruction by ${nameOf(model)}`, className: 'picture' });
    const numbers = h('p', { className: 'numbers' }, '…');
    const curve = new Curve(stepsOf(wanted));
    const actions = h('div', { className: 'row' });
    const element = h('article', { className: 'column', data: { model } },
      h('div', { className: 'row between' }, h('h2', {}, nameOf(model)), h('p', { className: 'muted' }, rank ? `rank ${rank}` : 'chosen')),
      view.canvas, curve.element, numbers, actions);
    return { element, view, numbers, curve, actions, model, rank, phase: { name: '', length: 0 } };
  }

  function finish(column, found, wanted) {
    const { model } = column;
    const how = [found.tuned ? 'tuned' : null, found.latent.refined ? 'refined' : null].filter(Boolean);
    const title = `${nameOf(model)}, inverted${how.map((word) => `, ${word}`).join('')}`;
    const picture = { model, ...(found.tuned ? { tuned: found.tuned } : {}), latent: found.latent, edits: [], noise_mode: wanted.settings.noise };
    column.view.show(picture);
    column.numbers.textContent = `PSNR ${decibels(found.psnr)} dB, LPIPS ${found.lpips.toFixed(4)}, distance ${found.w_plus_distance.toFixed(1)}${
      how.length ? `, ${how.join(' and ')}` : ''}, ${found.seconds.toFixed(1)} s`;
    column.actions.replaceChildren(
      button('Edit', () => { take(picture, title); go('model'); }, { className: 'primary' }),
      button('To the strip', () => { store.strip.push({ ...structuredClone(picture), title }); notice(`Put on the strip of Interpolate: ${title}.`); }),
      button('Export', () => exportDialog(picture, { inversion: wanted })));
    column.element.dataset.done = 'true';
  }

  function showResults() {
    columns.replaceChildren(...results.map(({ model, rank, found, wanted }) => {
      const made = column(model, rank, wanted);
      finish(made, found, wanted);
      made.curve.element.remove();
      return made.element;
    }));
  }

  /** What the job says while it is at a model. */
  async function hear(now, name, data) {
    if (name === 'phase') {
      now.phase = data;
      now.told = false;
      now.curve.begin(data.length);
      now.element.dataset.phase = doing(data.name);
    } else if (name === 'position' || name === 'numbers') {
      const { loss, PSNR, LPIPS } = data.values ?? {};
      if (loss !== undefined) now.curve.add(data.position, loss);
      const numbers = loss === undefined ? '' : `: PSNR ${decibels(PSNR)} dB, LPIPS ${LPIPS.toFixed(4)}`;
      now.told ||= loss !== undefined;
      if (name === 'numbers' || !now.told) now.numbers.textContent = `${doing(now.phase.name)} ${data.position} of ${now.phase.length}${numbers}`;
    } else if (name === 'preview') await now.view.base64(data.png);
  }

  async function start() {
    startButton.disabled = true;
    stopButton.disabled = false;
    results = [];
    running = { abort: new AbortController() };
    const wanted = structuredClone(store.inversion);
    try {
      let models = [[into, null]];
      if (into === 'ranks') {
        status.textContent = 'Searching …';
        await rankQuery();
        models = RANKS.map((rank) => [atRanks([rank])[0], rank]).filter(([model]) => model);
      }
      const made = models.map(([model, rank]) => column(model, rank, wanted));
      columns.replaceChildren(...made.map(({ element }) => element));
      if (NARROW.matches) columns.scrollIntoView({ block: 'start' });
      let now = null;
      const body = { ...wanted, image: store.query[0].id, models: models.map(([model]) => model) };
      for await (const [name, data] of api.invert(body, running.abort.signal)) {
        if (name === 'job') {
          running.job = data.id;
          status.textContent = data.ahead ? `Waiting for ${data.ahead} other jobs …` : 'Inverting …';
        } else if (name === 'started') status.textContent = 'Inverting …';
        else if (name === 'model') now = made.find(({ model }) => model === data.id);
        else if (name === 'warning') notice(data.text);
        else if (name === 'done') {
          for (const found of data.results) {
            await keepTuned(found.tuned);
            const column = made.find(({ model }) => model === found.id);
            finish(column, found, wanted);
            results.push({ model: found.id, rank: column.rank, found, wanted });
          }
          for (const { element, numbers } of made) if (!element.dataset.done) numbers.textContent = 'Stopped before there was anything.';
          status.textContent = data.cancelled ? 'Stopped: this is what was found until then.' : 'Done.';
        } else await hear(now, name, data);
      }
    } catch (error) {
      status.textContent = '';
      throw error;
    } finally {
      running = null;
      startButton.disabled = false;
      stopButton.disabled = true;
    }
  }

  const drop = dropZone({
    text: 'Drop, paste or choose an image', accept: 'image/*', multiple: false,
    take: (files) => attempt(async () => { store.query = await giveImages(files.slice(0, 1)); results = []; columns.replaceChildren(); showTarget(); }),
  });
  const options = inversionOptions({ into, choose: (model) => { into = model; } });
  options.append(h('div', { className: 'row' }, startButton, stopButton));
  stopButton.disabled = true;
  showTarget();
  showResults();
  return {
    element: h('div', {}, h('div', { className: 'head' }, h('h1', {}, 'Invert'), status),
      h('div', { className: 'bench inverting' }, h('div', { className: 'row top' }, target, drop), options, columns)),
    leave: () => running?.abort.abort(),
  };
}
