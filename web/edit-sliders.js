// The sliders that edit a picture: named edits, and principal components on a range of layers.

import * as api from './api.js';
import { button, h, number, slider } from './elements.js';
import { store } from './store.js';

/** Components that are shown at first. */
const SHOWN = 5;
/** Strengths in standard deviations. */
const REACH = 4;

/** What a model makes and how it can be edited, asked for once. */
export async function describe(model) {
  if (!store.about.has(model)) store.about.set(model, await api.describe(model));
  return store.about.get(model);
}

/** Sliders for a picture's edits; `changed` is called at every move, when `picture.edits` is what the sliders say. */
export function editSliders(about, picture, changed) {
  const set = (matches, edit) => {
    const index = picture.edits.findIndex(matches);
    if (index >= 0) picture.edits[index] = edit;
    else picture.edits.push(edit);
    changed();
  };
  const strengthOf = (matches) => picture.edits.find(matches)?.strength ?? 0;
  const last = about.layers - 1;
  const known = picture.edits.find((edit) => 'component' in edit)?.layers?.split('-').map(Number);
  const range = { first: known?.[0] ?? 0, last: known?.[1] ?? last };
  const layers = () => `${Math.min(range.first, range.last)}-${Math.max(range.first, range.last)}`;
  let shown = Math.max(SHOWN, ...picture.edits.filter((edit) => 'component' in edit).map((edit) => edit.component + 1));

  const named = about.edits.map((edit) => {
    const matches = (other) => other.edit === edit.name;
    const [from, to] = edit.range;
    const reach = Math.max(Math.abs(from), Math.abs(to));
    return slider({ label: edit.name, hint: edit.description, min: -reach, max: reach, step: 0.1, value: strengthOf(matches),
      decimals: 1, unit: ' σ', change: (strength) => set(matches, { edit: edit.name, strength }) });
  });

  const components = h('div', { className: 'sliders' });
  function fill() {
    components.replaceChildren(...about.components.slice(0, shown).map((share, component) => {
      const matches = (other) => other.component === component;
      return slider({ label: `Component ${component + 1}`, hint: `${(100 * share).toFixed(1)} % of the variance of w`, min: -REACH, max: REACH, step: 0.1,
        value: strengthOf(matches), decimals: 1, unit: ' σ', change: (strength) => set(matches, { component, layers: layers(), strength }) });
    }), ...(shown < about.components.length
      ? [button('More components', () => { shown = about.components.length; fill(); }, { className: 'quiet' })] : []));
  }
  const ranged = () => {
    for (const edit of picture.edits) if ('component' in edit) edit.layers = layers();
    changed();
  };
  fill();
  return h('div', {},
    named.length ? h('section', {}, h('h3', {}, 'Edits'), h('div', { className: 'sliders' }, named)) : null,
    h('section', {},
      h('h3', {}, 'Principal components'),
      h('div', { className: 'row' },
        number('Layers from', { min: 0, max: last, value: range.first, change: (value) => { range.first = value; ranged(); } }),
        number('to', { min: 0, max: last, value: range.last, change: (value) => { range.last = value; ranged(); } })),
      components,
      button('Reset edits', () => { picture.edits.length = 0; fill(); changed(true); }, { className: 'quiet' })));
}
