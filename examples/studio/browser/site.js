// The page without a server: its files as any web server sends them, and how many bytes that were.

import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { ROOT } from './server.js';

export const SITE = process.env.SITE ?? join(ROOT, 'target/site');

const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json', '.svg': 'image/svg+xml', '.txt': 'text/plain' };

/** Serves the folder at a port of its own. `sent` counts bytes by path. */
export async function serveSite() {
  const sent = new Map();
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const file = join(SITE, path.endsWith('/') ? `${path}index.html` : path);
    const found = file.startsWith(SITE) && statSync(file, { throwIfNoEntry: false });
    if (!found || !found.isFile()) {
      response.writeHead(404).end();
      return;
    }
    sent.set(path, (sent.get(path) ?? 0) + found.size);
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-length': found.size });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const stop = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  const bytes = () => [...sent.values()].reduce((sum, size) => sum + size, 0);
  return { address: `http://127.0.0.1:${server.address().port}/`, sent, bytes, stop };
}
