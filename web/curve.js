// A loss over the steps of an inversion and what follows it, on a logarithmic scale.

import { svg } from './elements.js';

const WIDTH = 240;
const HEIGHT = 64;

export class Curve {
  #points = [];
  /** Steps of the phases before this one, and of this one once it has a point. */
  #before = 0;
  #length = 0;

  /** `steps` are those of all phases. */
  constructor(steps) {
    this.steps = steps;
    this.line = svg('polyline', { class: 'curve-line', points: '' });
    this.bounds = svg('g', { class: 'curve-phases' });
    this.element = svg('svg', { class: 'curve', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Loss over the steps' }, this.bounds, this.line);
  }

  #x = (step) => ((step - 1) / Math.max(this.steps - 1, 1)) * WIDTH;

  /** The next phase begins: a line stands between it and one that had points. */
  begin(length) {
    const drawn = this.#points.length && this.#points.at(-1).step > this.#before;
    if (drawn) {
      this.#before += this.#length;
      const x = this.#x(this.#before);
      this.bounds.append(svg('line', { x1: x, x2: x, y1: 0, y2: HEIGHT }));
    }
    this.#length = length;
  }

  /** The loss of a step of this phase, counted from 1. */
  add(step, value) {
    if (!(value > 0)) return;
    this.#points.push({ step: this.#before + step, value: Math.log(value) });
    const values = this.#points.map((point) => point.value);
    const most = Math.max(...values);
    const span = Math.max(most - Math.min(...values), 1e-6);
    const y = (logarithm) => 2 + ((most - logarithm) / span) * (HEIGHT - 4);
    this.line.setAttribute('points', this.#points.map((point) => `${this.#x(point.step).toFixed(1)},${y(point.value).toFixed(1)}`).join(' '));
    this.element.dataset.values = values.length;
  }
}
