// A real Vite project, in copies: the tests change its files.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { e2e } from './build.mjs';
import { freePort } from './server.mjs';
import { until } from './wait.mjs';

const home = join(e2e, 'vite');
const cli = join(home, 'node_modules', 'vite', 'bin', 'vite.js');

/** installVite installs what the project is built with, once. */
export function installVite() {
  if (existsSync(cli)) return;
  const done = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: home, stdio: 'inherit' });
  if (done.status !== 0) throw new Error('npm ci in e2e/vite did not work');
}

export class ViteProject {
  /** A copy inside the project's folder: node finds its packages there. */
  constructor() {
    installVite();
    this.dir = mkdtempSync(join(home, '.copy-'));
    for (const name of ['index.html', 'package.json', 'vite.config.ts', 'src']) {
      cpSync(join(home, name), join(this.dir, name), { recursive: true });
    }
  }

  /** edit replaces text in a file. */
  edit(file, from, to) {
    const path = join(this.dir, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    writeFileSync(path, text.replace(from, to));
  }

  /** build returns the folder with the built app. */
  build(env = {}) {
    const done = spawnSync(process.execPath, [cli, 'build', '--logLevel', 'warn'], {
      cwd: this.dir, stdio: 'inherit', env: { ...process.env, ...env },
    });
    if (done.status !== 0) throw new Error('vite build did not work');
    return join(this.dir, 'dist');
  }

  /** serve starts the development server; its address is in url. */
  async serve() {
    const port = this.port ??= await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.server = spawn(process.execPath, [cli, '--host', '127.0.0.1', '--port', `${port}`, '--strictPort'], {
      cwd: this.dir, stdio: ['ignore', 'inherit', 'inherit'],
    });
    const { server } = this;
    const kill = () => server.kill('SIGKILL');
    process.once('exit', kill);
    server.once('exit', () => process.off('exit', kill));
    await until('Vite answers', async () => {
      if (server.exitCode !== null) throw new Error(`Vite ended with ${server.exitCode}`);
      return fetch(this.url).then((res) => res.ok, () => false);
    });
  }

  async stop() {
    if (!this.server || this.server.exitCode !== null || this.server.signalCode !== null) return;
    const gone = once(this.server, 'exit');
    this.server.kill();
    await gone;
  }

  async close() {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
