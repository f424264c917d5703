// Dragging: handles and targets on a picture, an optional mask, and the points on their way.

import * as api from './api.js';
import { attempt, button, choice, h, notice, number, svg } from './elements.js';
import { PictureView } from './picture-view.js';
import { nameOf, ofSeed, recipe, store, take, titleOf, unrefined } from './store.js';

let handles = [];
let options = { steps: 200, learning_rate: 0.02 };

export function dragView({ go }) {
  if (!store.picture) {
    const first = store.models[0];
    if (!first) return { element: h('p', { className: 'empty' }, 'No models here yet. Drop one on Models.') };
    take(ofSeed(first.id, 0), titleOf(ofSeed(first.id, 0)));
  }
  const view = new PictureView({ label: 'The picture that is dragged', className: 'picture main' });
  const overlay = svg('svg', { viewBox: '0 0 64 64', role: 'application', 'aria-label': 'Points on the picture' });
  const status = h('p', { className: 'muted', role: 'status' });
  const list = h('ol', { className: 'points' });
  let mode = 'points';
  let pending = null;
  /** One entry a pixel: whether it was painted as free to change; null for no mask. */
  let mask = null;
  let running = null;
  const undo = [];
  const side = () => view.canvas.width;
  const draggable = () => unrefined(recipe(store.picture));
  const shownTitle = () => (store.picture.latent.refined ? store.title.replace(', refined', '') : store.title);
  const caption = h('p', { className: 'caption' }, shownTitle());

  function draw(points = handles.map(({ from }) => from)) {
    overlay.setAttribute('viewBox', `0 0 ${side()} ${side()}`);
    const radius = side() / 48;
    const middle = (x) => x + 0.5;
    const shapes = [];
    if (mask) {
      const fixed = [];
      for (let y = 0; y < side(); y += 1) for (let x = 0; x < side(); x += 1) if (!mask[y * side() + x]) fixed.push(`M${x} ${y}h1v1h-1z`);
      shapes.push(svg('path', { class: 'masked', d: fixed.join('') }));
    }
    handles.forEach(({ to }, index) => {
      const from = points[index];
      shapes.push(svg('line', { class: 'pull', x1: middle(from[0]), y1: middle(from[1]), x2: middle(to[0]), y2: middle(to[1]), 'stroke-width': radius / 3 }),
        svg('circle', { class: 'goal', cx: middle(to[0]), cy: middle(to[1]), r: radius, 'stroke-width': radius / 3 }),
        svg('circle', { class: 'handle', cx: middle(from[0]), cy: middle(from[1]), r: radius, 'stroke-width': radius / 3 }));
    });
    if (pending) shapes.push(svg('circle', { class: 'handle', cx: middle(pending[0]), cy: middle(pending[1]), r: radius, 'stroke-width': radius / 3 }));
    overlay.replaceChildren(...shapes);
  }

  function showList() {
    list.replaceChildren(...handles.map((handle, index) => {
      const field = (label, key, axis) => number(label, { min: 0, max: side() - 1, value: handle[key][axis], change: (value) => { handle[key][axis] = value; draw(); } });
      return h('li', {}, field('x', 'from', 0), field('y', 'from', 1), field('to x', 'to', 0), field('to y', 'to', 1),
        button('×', () => change(() => handles.splice(index, 1)), { className: 'plain', aria: { label: `Take point ${index + 1} away` } }));
    }));
    startButton.disabled = !handles.length || !!running;
  }
  const changed = () => { draw(); showList(); };
  /** Changes which points there are, but for those that are on their way. */
  const change = (how) => {
    if (running) return;
    how();
    changed();
  };

  const pixel = (event) => {
    const box = overlay.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      .map((part) => Math.min(Math.max(Math.floor(part * side()), 0), side() - 1));
  };
  const paint = ([x, y]) => {
    mask ??= new Uint8Array(side() * side());
    const reach = Math.max(2, Math.round(side() / 16));
    for (let dy = -reach; dy <= reach; dy += 1) for (let dx = -reach; dx <= reach; dx += 1) {
      if (dx * dx + dy * dy > reach * reach || x + dx < 0 || y + dy < 0 || x + dx >= side() || y + dy >= side()) continue;
      mask[(y + dy) * side() + x + dx] = 1;
    }
    draw();
  };
  overlay.addEventListener('pointerdown', (event) => {
    if (running) return;
    event.preventDefault();
    if (mode === 'mask') { overlay.setPointerCapture(event.pointerId); paint(pixel(event)); return; }
    change(() => { if (pending) { handles.push({ from: pending, to: pixel(event) }); pending = null; } else pending = pixel(event); });
  });
  overlay.addEventListener('pointermove', (event) => { if (mode === 'mask' && event.buttons && !running) paint(pixel(event)); });

  const startButton = button('Drag', () => attempt(start), { className: 'primary' });
  const stopButton = button('Stop', () => running?.job && api.cancel(running.job), { disabled: true });
  const undoButton = button('Undo', () => {
    const before = undo.pop();
    take(before.picture, before.title);
    handles = before.handles;
    caption.textContent = shownTitle();
    undoButton.disabled = !undo.length;
    view.show(draggable()).then(changed);
  }, { disabled: true });

  async function start() {
    undo.push(structuredClone({ picture: store.picture, title: store.title, handles }));
    running = { abort: new AbortController() };
    startButton.disabled = true;
    undoButton.disabled = true;
    stopButton.disabled = false;
    const picture = draggable();
    const began = performance.now();
    try {
      const body = { picture, handles, steps: options.steps, learning_rate: options.learning_rate, ...(mask ? { mask: btoa(Array.from(mask, (byte) => String.fromCharCode(byte)).join('')) } : {}) };
      for await (const [name, data] of api.drag(body, running.abort.signal)) {
        if (name === 'job') { running.job = data.id; status.textContent = data.ahead ? `Waiting for ${data.ahead} other jobs …` : 'Dragging …'; }
        else if (name === 'numbers') status.textContent = `Step ${data.position}: ${data.values.distance.toFixed(1)} pixels to go, ${(data.position / ((performance.now() - began) / 1000)).toFixed(0)} steps a second`;
        else if (name === 'points') draw(data.points);
        else if (name === 'preview') await view.base64(data.png);
        else if (name === 'done') {
          take({ ...picture, latent: { w_plus: data.w_plus }, edits: [] }, `${nameOf(picture.model)}, dragged`);
          handles = handles.map(({ to }, index) => ({ from: data.points[index], to }));
          await view.show(recipe(store.picture));
          caption.textContent = shownTitle();
          status.textContent = `${data.arrived ? 'Arrived' : data.cancelled ? 'Stopped' : `${data.distance.toFixed(1)} pixels short`} after ${data.steps} steps, ${(data.steps / Math.max(data.seconds, 1e-3)).toFixed(0)} a second`;
          overlay.dataset.steps = data.steps;
        }
      }
    } catch (error) {
      status.textContent = '';
      throw error;
    } finally {
      running = null;
      stopButton.disabled = true;
      undoButton.disabled = !undo.length;
      changed();
    }
  }

  view.show(draggable()).then(changed);
  showList();
  return {
    element: h('div', {},
      h('div', { className: 'head' }, h('h1', {}, 'Drag'), status),
      h('div', { className: 'bench' },
        h('div', { className: 'stage' },
          h('div', { className: 'dragging' }, view.canvas, overlay),
          caption,
          store.picture.latent.refined
            ? h('p', { className: 'muted note' }, 'This inversion is refined. Points drag the latents, and what was added to the features would stay behind, so that it is left out here.') : null,
          h('div', { className: 'row center' }, startButton, stopButton, undoButton,
            button('Edit', () => go('model')),
            button('Put on the strip', () => { store.strip.push({ ...structuredClone(draggable()), title: shownTitle() }); notice('Put on the strip of Interpolate.'); }))),
        h('div', { className: 'panel' },
          h('p', { className: 'muted' }, 'Press on a point, then on where it should go. Each further pair is one more point.'),
          choice('Pressing sets', [['points', 'points'], ['mask', 'where the picture may change']], mode, (value) => { mode = value; }),
          h('section', {}, h('h3', {}, 'Points'), list,
            button('Add a point', () => change(() => { const middle = Math.floor(side() / 2); handles.push({ from: [middle, middle], to: [middle, middle] }); }))),
          h('div', { className: 'row' },
            button('Clear the points', () => change(() => { handles = []; pending = null; }), { className: 'quiet' }),
            button('Clear the mask', () => { mask = null; draw(); }, { className: 'quiet' })),
          number('Steps', { min: 1, max: 10000, value: options.steps, change: (value) => { options.steps = value; } }),
          number('Learning rate', { min: 0.0001, max: 10, step: 'any', value: options.learning_rate, change: (value) => { options.learning_rate = value; } })))),
    leave: () => running?.abort.abort(),
  };
}
