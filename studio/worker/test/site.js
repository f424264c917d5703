// The site's engine under Node.js, with the site's files from the disk.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
export const SITE = process.env.SITE ?? join(ROOT, 'target/site');

/** Starts the engine. `asked` collects the names of the files that it wanted. */
export async function studio() {
  const start = JSON.parse(gunzipSync(readFileSync(join(SITE, 'start.packed'))));
  const unpacked = ({ packed }) => gunzipSync(readFileSync(join(SITE, packed)));
  const load = (file) => import(pathToFileURL(join(SITE, file)));
  const [engine, { Studio }] = await Promise.all([load('engine.js'), load('studio.js')]);
  engine.initSync({ module: unpacked(start.engine) });
  const asked = [];
  const store = {
    file: async (name) => {
      asked.push(name);
      return unpacked(start.files[name]);
    },
  };
  return { studio: new Studio(engine, store, start), asked };
}
