// What every test file needs and none should make again: the binary and the
// certificates. run.mjs makes them once and names them in the environment; a
// test file that is run alone makes its own.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { makeCerts } from './certs.mjs';

/** root is the repository's folder, e2e this one. */
export const e2e = dirname(dirname(fileURLToPath(import.meta.url)));
export const root = dirname(e2e);

/** build makes what the environment doesn't name yet, and names it there. */
export function build() {
  if (process.env.CLOAKROOM_BIN && process.env.CLOAKROOM_E2E_CERTS) return;
  const dir = mkdtempSync(join(tmpdir(), 'cloakroom-e2e-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  if (!process.env.CLOAKROOM_BIN) {
    const bin = join(dir, 'cloakroom');
    const built = spawnSync('go', ['build', '-o', bin, './cmd/cloakroom'], { cwd: root, stdio: 'inherit' });
    if (built.status !== 0) throw new Error('go build ./cmd/cloakroom did not work');
    process.env.CLOAKROOM_BIN = bin;
  }
  if (!process.env.CLOAKROOM_E2E_CERTS) {
    makeCerts(dir);
    process.env.CLOAKROOM_E2E_CERTS = dir;
  }
}
