// The program, at a port of its own, and a browser for it.

import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
export const PROGRAM = process.env.STUDIO ?? join(ROOT, 'target/release/examples/studio');
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Starts the program with options, the first of which may be `{env}`; its address is the first line of its output. */
export async function serve(...options) {
  const { env } = typeof options[0] === 'object' ? options.shift() : {};
  const started = performance.now();
  const program = spawn(PROGRAM, ['--port', '0', ...options], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: program.stdout }).once('line', resolve);
    program.once('error', reject);
    program.once('exit', (code) => reject(new Error(`the program ended with ${code}`)));
  });
  const stop = () => new Promise((resolve) => {
    program.removeAllListeners('exit');
    program.once('exit', resolve);
    program.kill('SIGINT');
  });
  return { address, started, stop };
}

/** A headless Chromium that asks nothing of other hosts. */
export const browse = () => chromium.launch({
  executablePath: BROWSER,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export const folder = () => mkdtempSync(join(tmpdir(), 'studio-test-'));

/** Waits until a canvas was painted again after `count`, and gives its pixels as a text. */
export async function painted(canvas, count = 0) {
  await canvas.page().waitForFunction(([element, count]) => Number(element.dataset.painted ?? 0) > count, [await canvas.elementHandle(), count], { timeout: 60000 });
  return canvas.evaluate((element) => element.toDataURL());
}

export const count = (canvas) => canvas.evaluate((element) => Number(element.dataset.painted ?? 0));

/** How many colors a canvas has: a picture has many, an empty one has one. */
export const colors = (canvas) => canvas.evaluate((element) => {
  const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
  const found = new Set();
  for (let index = 0; index < data.length; index += 4) found.add((data[index] << 16) | (data[index + 1] << 8) | data[index + 2]);
  return found.size;
});
