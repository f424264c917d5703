// How an inversion goes: the panel of Invert. What it sets is the request's body, `store.inversion`.

import { choice, h, number, toggle } from './elements.js';
import { store, usualInversion } from './store.js';

const MOST_STEPS = 20000;

/** Elements of all options. `into` is a model or `ranks`, and `choose` hears another. */
export function inversionOptions({ into, choose }) {
  const wanted = store.inversion;
  const { settings } = wanted;
  const set = (name) => (value) => { settings[name] = value; };
  const setOutside = (name) => (value) => { wanted[name] = value; };
  const weight = (label, name, object = settings) => number(label, { min: 0, max: 1e6, step: 'any', value: object[name], change: (value) => { object[name] = value; } });
  const rate = (label, name, object = settings) => number(label, { min: 0.0001, max: 10, step: 'any', value: object[name], change: (value) => { object[name] = value; } });
  const steps = (label, change, value) => number(label, { min: 1, max: MOST_STEPS, value, change });
  /** Fields that are there while a box is ticked. */
  const under = (label, hint, value, change, ...fields) => {
    const inner = h('div', { className: 'fields', hidden: !value }, fields);
    return h('div', {}, toggle(label, value, (ticked) => { inner.hidden = !ticked; change(ticked); }, hint), inner);
  };

  const samples = number('Random latents', { min: 1, max: 10000, value: settings.start_samples, change: set('start_samples') });
  samples.hidden = settings.start !== 'sampled';
  const start = choice('Start', [['sampled', 'the best of random latents'], ['mean', 'the mean latent'], ['regressed', 'a guess from the image']], settings.start, (value) => {
    samples.hidden = value !== 'sampled';
    settings.start = value;
  });

  return h('div', { className: 'panel' },
    choice('Into', [['ranks', 'the models at ranks 1, 10 and 15'], ...store.models.map((model) => [model.id, model.name])], into, choose),
    h('div', { className: 'row' },
      choice('Latents', [['w_plus', 'W+'], ['w', 'W']], settings.space, set('space')),
      steps('Steps', set('steps'), settings.steps)),
    start, samples,
    under('Prior', 'Keeps the latents likely, so that edits stay good', settings.prior, set('prior'),
      weight('Weight of the prior', 'lambda_prior')),
    under('Refine', 'Then changes features where the latents fail: a scar, a logo, an earring', settings.refine, set('refine'),
      steps('Steps of the refinement', set('refine_steps'), settings.refine_steps)),
    under('Tune the model', 'Then changes the model itself, a little, for this image', wanted.tune, setOutside('tune'),
      steps('Steps of the tuning', setOutside('tune_steps'), wanted.tune_steps)),
    h('details', {}, h('summary', {}, 'More options'),
      h('div', { className: 'fields' },
        choice('LPIPS network', [['alex', 'AlexNet'], ['vgg', 'VGG16, slower']].filter(([name]) => store.lpips.includes(name)), settings.lpips, set('lpips')),
        choice('Optimizer', [['adam', 'Adam'], ['lbfgs', 'L-BFGS, closer in as many steps']], settings.optimizer, set('optimizer')),
        rate('Learning rate', 'learning_rate'),
        choice('Course of the learning rate', [['constant', 'the same throughout'], ['ramp', 'up at first, down at the end']], settings.schedule, set('schedule')),
        weight('Weight of LPIPS', 'lambda_lpips'),
        weight('Weight of the squared error', 'lambda_mse'),
        weight('Pull towards the mean', 'lambda_w_avg'),
        choice('Noise', [['constant', 'the model’s own'], ['none', 'none']], settings.noise, set('noise')),
        rate('Learning rate of the refinement', 'refine_learning_rate'),
        weight('Pull that keeps the refinement small', 'lambda_offset'),
        number('LPIPS from which on it is free', { min: 0.0001, max: 10, step: 'any', value: settings.mask_level, change: set('mask_level') }),
        rate('Learning rate of the tuning', 'tune_learning_rate', wanted),
        weight('Weight of what keeps other images in the tuning', 'lambda_locality', wanted))));
}

/** Words of a command line that does the same. */
export function inversionWords({ settings, tune, ...tuning }) {
  const usual = usualInversion();
  const option = (name) => `--${name.replaceAll('_', '-')}`;
  const words = [];
  const differing = (names, object, other) => {
    for (const name of names) if (object[name] !== other[name]) words.push(option(name), object[name]);
  };
  const common = ['space', 'optimizer', 'steps', 'lpips', 'learning_rate', 'schedule', 'lambda_lpips', 'lambda_mse', 'lambda_w_avg', 'start', 'start_samples', 'noise'];
  differing(common, settings, usual.settings);
  if (settings.prior) {
    words.push('--prior');
    differing(['lambda_prior'], settings, usual.settings);
  }
  if (settings.refine) {
    words.push('--refine');
    differing(['refine_steps', 'refine_learning_rate', 'lambda_offset', 'mask_level'], settings, usual.settings);
  }
  if (tune) {
    words.push('--tune');
    differing(['tune_steps', 'tune_learning_rate', 'lambda_locality'], tuning, usual);
  }
  return words;
}
