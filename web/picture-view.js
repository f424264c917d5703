// A picture on the page: the newest recipe wins, and one request is on its way at a time.

import * as api from './api.js';
import { h, notice } from './elements.js';

export class PictureView {
  #next = null;
  #busy = false;

  constructor({ label = 'Picture', className = 'picture' } = {}) {
    this.canvas = h('canvas', { className, width: 64, height: 64, role: 'img', aria: { label } });
    this.painted = 0;
  }

  /** Shows a recipe's picture as soon as it can be had; the call that finds nothing on its way resolves when nothing newer waits. */
  async show(recipe) {
    this.#next = recipe;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) {
      const recipe = this.#next;
      this.#next = null;
      try {
        await this.blob(await api.picture(recipe));
      } catch (error) {
        this.canvas.classList.add('failed');
        notice(error.message, { error: true });
      }
    }
    this.#busy = false;
  }

  /** Paints a PNG. */
  async blob(blob) {
    const bitmap = await createImageBitmap(blob);
    this.bitmap(bitmap);
    bitmap.close();
  }

  bitmap(bitmap) {
    const { canvas } = this;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    canvas.classList.remove('failed');
    this.painted += 1;
    canvas.dataset.painted = this.painted;
    canvas.dispatchEvent(new Event('painted'));
  }

  /** Paints a preview of a job. */
  async base64(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    await this.blob(new Blob([bytes], { type: 'image/png' }));
  }
}

/** A picture that one can press. */
export function pictureButton(recipe, label, press) {
  const view = new PictureView({ label, className: 'picture' });
  const element = h('button', { type: 'button', className: 'tile', onclick: press, title: label, aria: { label } }, view.canvas);
  view.show(recipe);
  return element;
}
