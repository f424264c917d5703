// Inversion: an image into one model, or into those at ranks 1, 10 and 15 side by side.

import * as api from './api.js';
import { attempt, button, choice, dropZone, h, notice, number } from './elements.js';
import { Curve } from './curve.js';
import { PictureView } from './picture-view.js';
import { atRanks, giveImages, rankQuery } from './search.js';
import { nameOf, store, take } from './store.js';

const RANKS = [1, 10, 15];
/** JSON has no infinity, which is the ratio of a picture to itself. */
const decibels = (ratio) => (ratio === null ? '∞' : ratio.toFixed(2));
/** Of the last inversions: `{model, rank, found}`. */
let results = [];
let wanted = 'ranks';

export function invertView({ go }) {
  const target = h('div', { className: 'query' });
  const columns = h('div', { className: 'columns' });
  const status = h('p', { className: 'muted', role: 'status' });
  const settings = store.inversion;
  let running = null;

  function showTarget() {
    const image = store.query[0];
    target.replaceChildren(...(image
      ? [h('div', { className: 'query-image' }, h('img', { src: image.url, alt: 'The image that is inverted' }))]
      : [h('p', { className: 'empty' }, 'Give an image first.')]));
    startButton.disabled = !image;
  }

  const startButton = button('Invert', () => attempt(start), { className: 'primary' });
  const stopButton = button('Stop', () => running && (running.job ? api.cancel(running.job) : running.abort.abort()));

  function column(model, rank) {
    const view = new PictureView({ label: `Reconstruction by ${nameOf(model)}`, className: 'picture' });
    const numbers = h('p', { className: 'numbers' }, '…');
    const curve = new Curve(settings.steps);
    const actions = h('div', { className: 'row' });
    const element = h('article', { className: 'column', data: { model } },
      h('h2', {}, nameOf(model)), h('p', { className: 'muted' }, rank ? `rank ${rank}` : 'chosen'),
      view.canvas, curve.element, numbers, actions);
    return { element, view, numbers, curve, actions, model, rank };
  }

  function finish(column, found) {
    const picture = { model: column.model, latent: { w_plus: found.w_plus }, edits: [], noise_mode: settings.noise };
    const title = `${nameOf(column.model)}, inverted`;
    column.view.show(picture);
    column.numbers.textContent = `PSNR ${decibels(found.psnr)} dB, LPIPS ${found.lpips.toFixed(4)}, distance ${found.w_plus_distance.toFixed(1)}, ${found.steps} steps in ${found.seconds.toFixed(1)} s`;
    column.actions.replaceChildren(
      button('Edit', () => { take(picture, title); go('model'); }, { className: 'primary' }),
      button('Put on the strip', () => { store.strip.push({ ...structuredClone(picture), title }); notice(`Put on the strip of Interpolate: ${title}.`); }));
    column.element.dataset.done = 'true';
  }

  function showResults() {
    columns.replaceChildren(...results.map(({ model, rank, found }) => {
      const made = column(model, rank);
      finish(made, found);
      made.curve.element.remove();
      return made.element;
    }));
  }

  async function start() {
    startButton.disabled = true;
    stopButton.disabled = false;
    results = [];
    running = { abort: new AbortController() };
    try {
      let models = [[wanted, null]];
      if (wanted === 'ranks') {
        status.textContent = 'Searching …';
        await rankQuery();
        models = RANKS.map((rank) => [atRanks([rank])[0], rank]).filter(([model]) => model);
      }
      const made = models.map(([model, rank]) => column(model, rank));
      columns.replaceChildren(...made.map(({ element }) => element));
      let now = null;
      const body = { image: store.query[0].id, models: models.map(([model]) => model), settings };
      for await (const [name, data] of api.invert(body, running.abort.signal)) {
        if (name === 'job') {
          running.job = data.id;
          status.textContent = data.ahead ? `Waiting for ${data.ahead} other jobs …` : 'Inverting …';
        } else if (name === 'started') status.textContent = 'Inverting …';
        else if (name === 'model') now = made.find(({ model }) => model === data.id);
        else if (name === 'numbers') {
          now.curve.add(data.values.loss);
          now.numbers.textContent = `step ${data.position} of ${settings.steps}: PSNR ${decibels(data.values.PSNR)} dB, LPIPS ${data.values.LPIPS.toFixed(4)}`;
        } else if (name === 'preview') await now.view.base64(data.png);
        else if (name === 'warning') notice(data.text);
        else if (name === 'done') {
          for (const found of data.results) {
            const column = made.find(({ model }) => model === found.id);
            finish(column, found);
            results.push({ model: found.id, rank: column.rank, found });
          }
          status.textContent = data.cancelled ? 'Stopped: this is what was found until then.' : 'Done.';
        }
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
  const set = (name, convert = (value) => value) => (value) => { settings[name] = convert(value); };
  const options = h('div', { className: 'panel flat' },
    choice('Into', [['ranks', 'the models at ranks 1, 10 and 15'], ...store.models.map((model) => [model.id, model.name])], wanted, (value) => { wanted = value; }),
    choice('Latents', [['w_plus', 'W+: one a layer'], ['w', 'W: one for all layers']], settings.space, set('space')),
    number('Steps', { min: 1, max: 20000, value: settings.steps, change: set('steps') }),
    h('details', {}, h('summary', {}, 'More options'),
      h('div', { className: 'fields' },
        choice('LPIPS network', [['alex', 'AlexNet'], ['vgg', 'VGG16, slower']], settings.lpips, set('lpips')),
        number('Learning rate', { min: 0.0001, max: 10, step: 'any', value: settings.learning_rate, change: set('learning_rate') }),
        number('Weight of LPIPS', { min: 0, max: 1000, step: 'any', value: settings.lambda_lpips, change: set('lambda_lpips') }),
        number('Weight of the squared error', { min: 0, max: 1000, step: 'any', value: settings.lambda_mse, change: set('lambda_mse') }),
        number('Pull towards the mean', { min: 0, max: 1000, step: 'any', value: settings.lambda_w_avg, change: set('lambda_w_avg') }),
        number('Random starts', { min: 0, max: 10000, value: settings.start_samples, change: set('start_samples') }),
        choice('Noise', [['constant', 'the model’s own'], ['none', 'none']], settings.noise, set('noise')))),
    h('div', { className: 'row' }, startButton, stopButton));
  stopButton.disabled = true;
  showTarget();
  showResults();
  return {
    element: h('div', {}, h('div', { className: 'head' }, h('h1', {}, 'Invert'), status),
      h('div', { className: 'bench' }, h('div', { className: 'stage wide' }, h('div', { className: 'row top' }, target, drop), columns), options)),
    leave: () => running?.abort.abort(),
  };
}
