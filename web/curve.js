// A loss over the steps of an inversion, on a logarithmic scale.

import { svg } from './elements.js';

const WIDTH = 240;
const HEIGHT = 64;

export class Curve {
  #values = [];

  constructor(steps) {
    this.steps = steps;
    this.line = svg('polyline', { class: 'curve-line', points: '' });
    this.element = svg('svg', { class: 'curve', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Loss over the steps' }, this.line);
  }

  add(value) {
    if (!(value > 0)) return;
    this.#values.push(Math.log(value));
    const most = Math.max(...this.#values);
    const span = Math.max(most - Math.min(...this.#values), 1e-6);
    const x = (index) => (index / Math.max(this.steps - 1, 1)) * WIDTH;
    const y = (value) => 2 + ((most - value) / span) * (HEIGHT - 4);
    this.line.setAttribute('points', this.#values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(' '));
    this.element.dataset.values = this.#values.length;
  }
}
