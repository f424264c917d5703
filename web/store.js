// What the user has made: one object that can be saved and opened.

export const EMPTY = () => ({
  version: 1,
  /** The picture at work: a recipe. */
  picture: null,
  /** Where it came from, in words. */
  title: '',
  /** Pictures that were put aside: `{model, latent, edits, noise_mode, title}`. */
  strip: [],
  /** Images of the query: `{id, url}`; `url` is a data URL. */
  query: [],
  course: { easing: 'cosine', interpolation: 'linear', closed: true, frames: 48, frames_per_second: 24 },
  inversion: { space: 'w_plus', steps: 300, lpips: 'alex', learning_rate: 0.1, lambda_lpips: 1, lambda_mse: 5, lambda_w_avg: 0, start_samples: 0, noise: 'constant' },
});

export const store = { ...EMPTY(), models: [], about: new Map() };

const KEPT = Object.keys(EMPTY());

/** The session as text. */
export const written = () => JSON.stringify(Object.fromEntries(KEPT.map((key) => [key, store[key]])), null, 1);

/** Takes over a session that was written. Images have to be given to the program again by the caller. */
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
}

/** The recipe of a seed. */
export const ofSeed = (model, seed, psi = 1) =>
  ({ model, latent: { seed: { seed, truncation_psi: psi } }, edits: [], noise_mode: 'constant' });

/** A recipe without what is only for people. */
export const recipe = ({ model, latent, edits, noise_mode, noise_seed }) =>
  ({ model, latent, edits: (edits ?? []).filter((edit) => edit.strength !== 0), noise_mode: noise_mode ?? 'constant', noise_seed: noise_seed ?? 0 });

/** Puts a picture to work. */
export function take(picture, title) {
  store.picture = structuredClone(picture);
  store.title = title;
}

/** What to call a picture. */
export function titleOf(picture) {
  const name = nameOf(picture.model);
  return picture.latent.seed ? `${name}, seed ${picture.latent.seed.seed}` : `${name}, inverted`;
}

/** A model's name. */
export const nameOf = (id) => store.models.find((model) => model.id === id)?.name ?? id;
