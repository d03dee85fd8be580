// The Cloakroom process under test: its configuration, its life, its log.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';

import { e2e } from './build.mjs';
import { mfa } from './policy.mjs';
import { until, within } from './wait.mjs';

export class Cloakroom {
  output = '';

  /** dir holds its files; settings are those of config(). */
  constructor(dir, settings) {
    Object.assign(this, { dir, settings, url: `https://localhost:${settings.port}` });
    this.config = join(dir, 'config.yaml');
    this.storeFile = join(dir, 'sessions.db');
    // JSON is YAML too.
    writeFileSync(this.config, JSON.stringify(config(settings, this), null, 2));
  }

  /** start returns when it answers. */
  async start() {
    this.process = spawn(process.env.CLOAKROOM_BIN, ['serve', '--config', this.config], {
      cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: this.dir },
    });
    const { process: child } = this;
    this.exited = once(child, 'exit');
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.output += text; });
    }
    await until('Cloakroom answers', () => {
      if (child.exitCode !== null) throw new Error(`Cloakroom ended with ${child.exitCode}:\n${this.output}`);
      return this.answers();
    });
  }

  /** stop sends it a signal and returns its exit code. */
  async stop(signal = 'SIGTERM') {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return undefined;
    this.process.kill(signal);
    const [code] = await within(15_000, `Cloakroom ends on ${signal}`, this.exited);
    return code;
  }

  answers() {
    return new Promise((resolve) => {
      const request = https.get(`${this.url}/bff/session`, {
        ca: this.settings.cert.cert, headers: { 'sec-fetch-site': 'same-origin' },
      }, (res) => { res.resume(); resolve(res.statusCode === 200); });
      request.on('error', () => resolve(false));
    });
  }

  /** records returns the records of its log that match accepts. */
  records(match) {
    return this.output.split('\n').filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line)).filter(match);
  }
}

function config(s, { url, storeFile, dir }) {
  return {
    listen: `127.0.0.1:${s.port}`,
    public_url: url,
    tls: { cert_file: s.cert.certFile, key_file: s.cert.keyFile },
    keys_file: join(dir, 'keys'),
    session: { idle: '10m', absolute: '1h', ...s.session },
    store: { bolt: { path: storeFile } },
    providers: [
      provider({ name: 'main', ...s }),
      ...(s.partner ? [provider({ name: 'partner', display_name: 'Partner ID', ...s, ...s.partner })] : []),
      ...(s.providers ?? []),
    ],
    ...(s.pages && { pages: s.pages }),
    routes: [
      { path: '/api/', upstream: s.api, strip_prefix: '/api', headers: { 'X-User': 'sub', 'X-Issuer': 'iss' } },
      { path: '/api/ws', upstream: s.api, strip_prefix: '/api', websocket: true },
      { path: '/reports/', upstream: s.api, documents: 'allow' },
      ...(s.strong ? strong(s) : []),
      ...(s.leaky ? [{ path: '/leaky/', upstream: s.api, set_cookies: ['leak'] }] : []),
    ],
    spa: s.spa ?? { dir: join(e2e, 'site') },
    admin: { listen: `127.0.0.1:${s.adminPort}` },
    log: { level: 'debug', format: 'json' },
    shutdown_timeout: '10s',
  };
}

/** strong are routes that demand a level of authentication, or a claim. */
function strong({ api }) {
  return [
    { path: '/api/payments', upstream: api, strip_prefix: '/api', acr_values: [mfa] },
    { path: '/vault/', upstream: api, documents: 'allow', acr_values: [mfa] },
    { path: '/api/staff', upstream: api, strip_prefix: '/api', require: { claim: 'preferred_username', any: ['bob'] } },
  ];
}

function provider({ name, display_name = '', issuer, auth, keyFile, clientSecret, providerCA }) {
  return {
    name, display_name, issuer, client_id: 'cloakroom', auth,
    ...(auth === 'private_key_jwt' ? { private_key_file: keyFile } : { client_secret: clientSecret }),
    scopes: ['openid', 'profile', 'email'], ca_file: providerCA, token_timeout: '5s',
  };
}
