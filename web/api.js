// What the page asks for. Everything the page knows of the server is in this file: another one with the same functions can take its place.

const BASE = './api';

export class ApiError extends Error {}

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(BASE + path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The program does not answer. Is it still running?');
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new ApiError(body.error ?? `The program answered ${answer.status}.`);
}

function posted(body, signal) {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal };
}

const id = (text) => encodeURIComponent(text);

/** What can be done here: `{version, mp4, inversion, lpips}`; `inversion` is how it goes where nothing else is asked for, `lpips` the networks to measure it. */
export const status = async () => (await request('/status')).json();

/** All models with their cards. */
export const models = async () => (await (await request('/models')).json()).models;

/** What a model makes and how it can be edited. */
export const describe = async (model) => (await request(`/models/${id(model)}`)).json();

/** The picture of samples beside a model, as a Blob. */
export const samples = async (model) => (await request(`/models/${id(model)}/samples`)).blob();

/** Gives a checkpoint file; answers as `describe` does. */
export const addModel = async (file) =>
  (await request(`/models/dropped/${id(file.name)}`, { method: 'POST', body: file })).json();

/** Gives an image (a Blob): `{id, width, height}`. */
export const addImage = async (blob) => (await request('/images', { method: 'POST', body: blob })).json();

/** Gives a file of pivotal tuning (a Blob); its id serves recipes. */
export const addTuned = async (blob) => (await (await request('/tuned', { method: 'POST', body: blob })).json()).id;

/** The file of a change of a model, as a Blob. */
export const tuned = async (change) => (await request(`/tuned/${id(change)}`)).blob();

/** A recipe's picture as a PNG Blob. */
export const picture = async (recipe, { enlarged = 1 } = {}) =>
  (await request('/picture', posted({ ...recipe, enlarged }))).blob();

/** A recipe's latents as a safetensors Blob. */
export const latents = async (recipe) => (await request('/latents', posted(recipe))).blob();

/** A course as GIF or MP4: `{frames, frames_per_second, enlarged, format}` beside the recipe. */
export const animation = async (recipe, settings) =>
  (await request('/animation', posted({ ...recipe, ...settings }))).blob();

/** Ranks the models for `{images: [id]}` or `{like: model}`. */
export const search = async (query) => (await request('/search', posted(query))).json();

/** How usual an image of this score is for a model: `{typicality, fits}`, the share of its own samples that are less likely, and the verdict. */
export const typicality = async (model, score) => (await request('/typicality', posted({ model, score }))).json();

/** Asks a job to end; it then gives what it has. */
export const cancel = (job) => request(`/jobs/${id(job)}`, { method: 'DELETE' }).catch(() => {});

/** Events `[name, data]` of an inversion. */
export const invert = (wanted, signal) => events('/invert', wanted, signal);

/** Events `[name, data]` of a drag. */
export const drag = (wanted, signal) => events('/drag', wanted, signal);

async function* events(path, wanted, signal) {
  const answer = await request(path, posted(wanted, signal));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const found = block.match(/^event: (.*)\ndata: (.*)$/);
      if (!found) continue;
      const data = JSON.parse(found[2]);
      if (found[1] === 'failed') throw new ApiError(data.error);
      yield [found[1], data];
    }
  }
}
