// The session as one file.

import * as api from './api.js';
import { attempt, button, h, notice, save } from './elements.js';
import { open, store, written } from './store.js';

export function sessionControls(opened) {
  const input = h('input', { type: 'file', accept: '.json', className: 'hidden', tabIndex: -1, aria: { label: 'Session file' },
    onchange: () => attempt(async () => {
      const [file] = input.files;
      input.value = '';
      open(await file.text());
      for (const image of store.query) {
        if (!/^data:image\//.test(image.url)) throw new Error('This session holds something else than images.');
        const bytes = Uint8Array.from(atob(image.url.slice(image.url.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
        image.id = (await api.addImage(new Blob([bytes]))).id;
      }
      for (const [id, text] of Object.entries(store.tuned)) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        if (await api.addTuned(new Blob([bytes])) !== id) throw new Error('This session holds a change of a model under the name of another.');
      }
      notice('Session opened.');
      opened();
    }) });
  return [
    button('Open', () => input.click(), { className: 'plain', title: 'Open a session' }),
    button('Save', () => save(new Blob([written()], { type: 'application/json' }), 'studio-session.json'), { className: 'plain', title: 'Save this session' }),
    input,
  ];
}
