// Search: images, or a model, to ranked models.

import * as api from './api.js';
import { attempt, button, dropZone, h } from './elements.js';
import { card } from './models.js';
import { nameOf, store } from './store.js';

let last = null;

/** The images that the query is now. */
const asked = () => store.query.map((image) => image.id).join();

/** Where the index does not say how usual an image is, samples of so many of the best models are drawn, which takes seconds. */
const DRAWN = 3;

/** Gives image files to the program; `{id, url}` each, with a data URL so that a session can hold it. */
export async function giveImages(files) {
  const given = [];
  for (const file of files) {
    const { id } = await api.addImage(file);
    given.push({ id, url: await dataUrl(file) });
  }
  return given;
}

const dataUrl = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

export function searchView({ go, argument }) {
  const query = h('div', { className: 'query' });
  const results = h('div', { className: 'cards ranked' });
  const status = h('p', { className: 'muted', role: 'status' });
  const verdict = h('p', { className: 'verdict', role: 'status' });
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      entry.target.load();
    }
  });

  function showQuery() {
    query.replaceChildren(...store.query.map((image, index) => h('div', { className: 'query-image' },
      h('img', { src: image.url, alt: `Image ${index + 1} of the query` }),
      h('button', { type: 'button', className: 'plain', aria: { label: `Leave image ${index + 1} out` },
        onclick: () => { store.query.splice(index, 1); showQuery(); if (store.query.length) rank(); else { last = null; showResults(); } } }, '×'))),
    ...(store.query.length ? [button('Invert this image', () => go('invert'), { className: 'quiet' })] : []));
  }

  function showResults() {
    seen.disconnect();
    verdict.textContent = '';
    delete results.dataset.typical;
    if (!last) {
      status.textContent = '';
      results.replaceChildren(h('p', { className: 'empty' }, 'Give an image to see which models could have made it. Several images are one query.'));
      return;
    }
    const { ranking, models, seconds, what } = last;
    status.textContent = `${models} models ranked for ${what} in ${(1000 * seconds).toFixed(0)} ms`;
    const best = ranking[0]?.score ?? 0;
    results.replaceChildren(...ranking.map(({ model, score }, index) => {
      const found = store.models.find((known) => known.id === model) ?? { id: model, name: model, origin: 'zoo' };
      const apart = index === 0 ? `score ${score.toFixed(1)}` : `score ${score.toFixed(1)}, ${(best - score).toFixed(1)} below the best`;
      const typical = h('span', { className: 'muted', data: { typical: model } });
      const note = h('div', { className: 'rank' }, h('p', {}, h('strong', {}, `${index + 1}`), ` ${apart}`), typical);
      return card(found, { go, seen, note });
    }));
    if (last.single) attempt(() => typicality(last));
  }

  /** How usual the image is for models, and the sentence when it is for none. */
  async function typicality(shown) {
    const tell = (model, share) => {
      results.querySelector(`[data-typical="${CSS.escape(model)}"]`).textContent = `${(100 * share).toFixed(1)} % of its samples are less likely`;
    };
    for (const { model, typicality } of shown.ranking) if (typicality !== undefined) tell(model, typicality);
    if (!shown.fit) {
      shown.drawn ??= new Map();
      for (const { model, score } of shown.ranking.slice(0, DRAWN)) {
        if (!shown.drawn.has(model)) shown.drawn.set(model, await api.typicality(model, score));
        if (shown !== last || !results.isConnected) return;
        tell(model, shown.drawn.get(model).typicality);
      }
      shown.fit = [...shown.drawn.values()].reduce((best, other) => (other.typicality > best.typicality ? other : best));
    }
    const { model, typicality, fits } = shown.fit;
    if (!fits) verdict.textContent = `No model of this zoo is likely to have made this image (best: ${nameOf(model)}, ${(100 * typicality).toFixed(1)} % of its samples are as unlikely).`;
    results.dataset.typical = 'true';
  }

  const ask = (body, what) => attempt(async () => {
    status.textContent = 'Searching …';
    results.classList.add('waiting');
    const started = performance.now();
    try {
      const outcome = await api.search(body);
      last = { ...outcome.queries[0], images: body.images?.join(), models: outcome.models, seconds: (performance.now() - started) / 1000, what, single: body.images?.length === 1 };
    } finally {
      results.classList.remove('waiting');
      status.textContent = '';
    }
    showResults();
  });
  const rank = () => ask({ images: store.query.map((image) => image.id) }, store.query.length === 1 ? 'an image' : `${store.query.length} images as one query`);

  const drop = dropZone({
    text: 'Drop, paste or choose images',
    accept: 'image/*',
    take: (files) => attempt(async () => {
      store.query.push(...await giveImages(files));
      showQuery();
      await rank();
    }),
  });

  showQuery();
  showResults();
  const [kind, name] = argument.split('/');
  if (kind === 'like' && name) ask({ like: name }, `models like ${nameOf(name)}`);
  else if (store.query.length && last?.images !== asked()) rank();
  return {
    element: h('div', {}, h('div', { className: 'head' }, h('h1', {}, 'Search'), status), drop, query, verdict, results),
    leave: () => seen.disconnect(),
  };
}

/** Ids of the models at these ranks of the last search, as many as there are. */
export const atRanks = (ranks) => ranks.map((rank) => last?.ranking[rank - 1]?.model).filter(Boolean);

/** Makes one Blob the query. */
export async function queryOf(blob) {
  store.query = await giveImages([blob]);
  last = null;
}

/** Ranks the models for the query without showing them. */
export async function rankQuery() {
  const outcome = await api.search({ images: store.query.map((image) => image.id) });
  last = { ...outcome.queries[0], images: asked(), models: outcome.models, seconds: outcome.feature_seconds, what: 'an image', single: store.query.length === 1 };
}
