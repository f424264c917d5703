// Everything as a file, and the command line that does the same.

import * as api from './api.js';
import { attempt, button, h, notice, number, save } from './elements.js';
import { inversionWords } from './inversion-options.js';
import { nameOf, recipe } from './store.js';

/** Files are named after the model, without what a file system could mind. */
const fileName = (picture) => nameOf(picture.model).replace(/[^A-Za-z0-9_-]+/g, '-') || 'picture';

/** A word of a shell's command line. */
const quoted = (text) => (/^[A-Za-z0-9_./:=+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const run = (program, ...words) => ['cargo run --release --example', program, '--', ...words.map((word) => quoted(String(word)))].join(' ');

const latentsFile = (picture) => `${fileName(picture)}.${picture.latent.refined ? 'refined' : 'latents'}.safetensors`;
const tunedFile = (picture) => `${fileName(picture)}.tuned.safetensors`;

/** The commands that make a recipe's picture again, with the files of latents and tuning where it has them. `course` and `inversion` are how it was made. */
export function commands(picture, { course, inversion } = {}) {
  const model = ['--model', picture.model.replace(/^(own|dropped):/, ''), ...(picture.tuned ? ['--tuned', tunedFile(picture)] : [])];
  const { latent, edits, noise_mode } = recipe(picture);
  if (latent.course) {
    const frames = ['--frames', course.frames];
    const seeds = latent.course.points.map(({ latent, edits }) => (edits?.length ? undefined : latent.seed?.seed));
    if (seeds.length === 2 && seeds.every((seed) => seed !== undefined)) {
      return [run('interpolate', ...model, '--from', seeds[0], '--to', seeds[1], ...frames)];
    }
    return ['# Export the latents of each picture, then for each two:', run('interpolate', ...model, '--from', 'A.safetensors', '--to', 'B.safetensors', ...frames)];
  }
  if (latent.seed && !edits.length) {
    const { seed, truncation_psi = 1, truncation_cutoff, class: label } = latent.seed;
    return [run('generate', ...model, '--seeds', seed, '--single', '--truncation-psi', truncation_psi,
      ...(truncation_cutoff === undefined || truncation_cutoff === null ? [] : ['--truncation-cutoff', truncation_cutoff]),
      ...(label === undefined || label === null ? [] : ['--class', label]), '--noise-mode', noise_mode)];
  }
  const made = inversion ? [run('invert', ...model.slice(0, 2), '--image', 'IMAGE.png', ...inversionWords(inversion)), '# Or with the files that are saved here:'] : [];
  return [...made, run('generate', ...model, '--latents', latentsFile(picture), '--single', '--noise-mode', noise_mode)];
}

/** A dialog with all that a picture can be saved as. `course` has the settings of one that moves, `inversion` those of one that was inverted. */
export function exportDialog(picture, { course, inversion } = {}) {
  const name = fileName(picture);
  let enlarged = 4;
  const text = commands(picture, { course, inversion }).join('\n');
  const made = (work) => () => attempt(work);
  const png = made(async () => save(await api.picture(recipe(picture), { enlarged }), `${name}.png`));
  const latents = made(async () => save(await api.latents(recipe(picture)), latentsFile(picture)));
  const tuned = made(async () => save(await api.tuned(picture.tuned), tunedFile(picture)));
  const json = made(async () => save(new Blob([JSON.stringify(recipe(picture), null, 1)], { type: 'application/json' }), `${name}.json`));
  const moving = (format) => made(async () => {
    notice(`Making the ${format.toUpperCase()} …`);
    const { frames, frames_per_second } = course;
    save(await api.animation(recipe(picture), { frames, frames_per_second, enlarged, format }), `${name}.${format}`);
  });
  const mp4 = button('MP4', moving('mp4'), { disabled: true, title: 'Needs ffmpeg' });
  const buttons = course ? [button('GIF', moving('gif'), { className: 'primary' }), mp4]
    : [button('PNG', png, { className: 'primary' }), button(picture.latent.refined ? 'Latents and offset' : 'Latents', latents)];
  if (picture.tuned) buttons.push(button('Tuned weights', tuned));
  buttons.push(button('Settings (JSON)', json));
  if (course) api.status().then(({ mp4: there }) => { mp4.disabled = !there; mp4.title = there ? '' : mp4.title; }, () => {});
  const dialog = h('dialog', { aria: { label: 'Export' } },
    h('h2', {}, 'Export'),
    number('Enlarge each pixel', { min: 1, max: 16, value: enlarged, change: (value) => { enlarged = value; } }),
    h('div', { className: 'row' }, buttons),
    h('h3', {}, 'The same in a terminal'),
    h('pre', { tabIndex: 0 }, text),
    h('div', { className: 'row' },
      button('Copy', () => navigator.clipboard.writeText(text).then(() => notice('Copied.'), () => notice('The browser does not allow it here.')), { className: 'quiet' }),
      button('Close', () => dialog.close())));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
