// What the user has made: one object that can be saved and opened.

/** How inversions go where nothing else is asked for, as the program says. */
let inversion = {};

export const EMPTY = () => ({
  version: 1,
  /** The picture at work: a recipe. */
  picture: null,
  /** Where it came from, in words. */
  title: '',
  /** Pictures that were put aside: `{model, tuned, latent, edits, noise_mode, title}`. */
  strip: [],
  /** Changes of models that recipes name as `tuned`: the files in base64 by their ids. */
  tuned: {},
  /** Images of the query: `{id, url}`; `url` is a data URL. */
  query: [],
  course: { easing: 'cosine', interpolation: 'linear', closed: true, frames: 48, frames_per_second: 24 },
  inversion: usualInversion(),
});

/** How inversions go where nothing else is asked for: the body of a request without image and models. */
export const usualInversion = () => structuredClone(inversion);

export const store = { ...EMPTY(), models: [], about: new Map(), /** Networks that inversions can be measured by. */ lpips: [] };

const KEPT = Object.keys(EMPTY());

/** Takes over what the program says of inversions. */
export function setUsualInversion(usual) {
  inversion = usual;
  store.inversion = usualInversion();
}

/** The session as text. */
export function written() {
  const kept = Object.fromEntries(KEPT.map((key) => [key, store[key]]));
  const used = new Set([store.picture, ...store.strip].map((picture) => picture?.tuned));
  kept.tuned = Object.fromEntries(Object.entries(store.tuned).filter(([id]) => used.has(id)));
  return JSON.stringify(kept, null, 1);
}

/** Takes over a session that was written. Images and changes of models have to be given to the program again by the caller. */
export function open(text) {
  let read;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error('This file is no session: it is not JSON.');
  }
  if (read?.version !== 1 || !Array.isArray(read.strip) || !Array.isArray(read.query)) {
    throw new Error('This file is no session of Ganymede Studio.');
  }
  const empty = EMPTY();
  for (const key of KEPT) store[key] = read[key] ?? empty[key];
  store.course = { ...empty.course, ...read.course };
  // Settings of an earlier version have another form.
  store.inversion = read.inversion?.settings
    ? { ...empty.inversion, ...read.inversion, settings: { ...empty.inversion.settings, ...read.inversion.settings } }
    : empty.inversion;
  // A session may come from a place that has other networks.
  if (!store.lpips.includes(store.inversion.settings.lpips)) store.inversion.settings.lpips = empty.inversion.settings.lpips;
}

/** The recipe of a seed. */
export const ofSeed = (model, seed, psi = 1) =>
  ({ model, latent: { seed: { seed, truncation_psi: psi } }, edits: [], noise_mode: 'constant' });

/** A recipe without what is only for people. */
export const recipe = ({ model, tuned, latent, edits, noise_mode, noise_seed }) => ({
  model, ...(tuned ? { tuned } : {}), latent, edits: (edits ?? []).filter((edit) => edit.strength !== 0), noise_mode: noise_mode ?? 'constant', noise_seed: noise_seed ?? 0,
});

/** A recipe whose refined latent has lost its offset, which points cannot drag along. */
export const unrefined = (picture) =>
  (picture.latent.refined ? { ...picture, latent: { w_plus: picture.latent.refined.w_plus } } : picture);

/** Puts a picture to work. */
export function take(picture, title) {
  store.picture = structuredClone(picture);
  store.title = title;
}

/** What to call the picture of a seed. */
export const titleOf = (picture) => `${nameOf(picture.model)}, seed ${picture.latent.seed.seed}`;

/** A model's name. */
export const nameOf = (id) => store.models.find((model) => model.id === id)?.name ?? id;
