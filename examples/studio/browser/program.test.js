// The program itself: what it does beside serving the page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { PROGRAM, folder, serve } from './server.js';

const OPENER = { darwin: 'open', win32: 'explorer' }[process.platform] ?? 'xdg-open';

/** A folder with a browser's opener that keeps its arguments in a file and ends with a code. */
function opener(code) {
  const place = folder();
  const file = join(place, OPENER);
  writeFileSync(file, `#!/bin/sh\nprintf '%s' "$*" > '${place}/opened.part'\nmv '${place}/opened.part' '${place}/opened'\nexit ${code}\n`);
  chmodSync(file, 0o755);
  return { place, opened: join(place, 'opened') };
}

const withPath = (place) => ({ ...process.env, PATH: `${place}${delimiter}${process.env.PATH}` });

async function until(what, condition) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (condition()) return;
    await wait(50);
  }
  assert.fail(`${what} did not happen`);
}

test('--open gives the address to what opens a browser', { skip: process.platform === 'win32' && 'a script is no program there' }, async () => {
  const { place, opened } = opener(0);
  const server = await serve({ env: withPath(place) }, '--open');
  try {
    await until('opening a browser', () => existsSync(opened));
    assert.equal(readFileSync(opened, 'utf8'), server.address);
  } finally {
    await server.stop();
  }
});

test('without --open no browser is opened', async () => {
  const { place, opened } = opener(0);
  const server = await serve({ env: withPath(place) });
  await fetch(server.address);
  await server.stop();
  assert.ok(!existsSync(opened));
});

for (const [what, prepare] of [['fails', () => withPath(opener(3).place)], ['is not there', () => ({ ...process.env, PATH: folder() })]]) {
  test(`an opener that ${what} is told about, and the program goes on`, { skip: process.platform === 'win32' && 'a script is no program there' }, async () => {
    const program = spawn(PROGRAM, ['--port', '0', '--open'], { stdio: ['ignore', 'pipe', 'pipe'], env: prepare() });
    let said = '';
    let address = '';
    program.stderr.on('data', (text) => { said += text; });
    program.stdout.on('data', (text) => { address += text; });
    try {
      await until('a message', () => said.includes('open the address yourself'));
      assert.equal((await fetch(`${address.trim()}api/status`)).status, 200);
    } finally {
      program.kill('SIGINT');
      await new Promise((resolve) => { program.once('exit', resolve); });
    }
  });
}
