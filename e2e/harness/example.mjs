// The example app, examples/react, built as its README says.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { e2e } from './build.mjs';

const home = join(e2e, '..', 'examples', 'react');
const client = join(e2e, '..', 'web', 'client');

/** buildExample builds the client and the app, and returns the folder with the app. */
export function buildExample() {
  install(client);
  npm(client, 'run', 'build');
  install(home);
  npm(home, 'run', 'build');
  return join(home, 'dist');
}

function install(dir) {
  if (!existsSync(join(dir, 'node_modules'))) npm(dir, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
}

function npm(dir, ...args) {
  const done = spawnSync('npm', args, { cwd: dir, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`npm ${args.join(' ')} in ${dir}:\n${done.stdout}${done.stderr}`);
}
