// One stage per test file: provider, API, attacker, Cloakroom and browser, all on
// loopback, started before its tests and searched for canaries after them.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { startAPI } from './api.mjs';
import { startAttacker } from './attacker.mjs';
import { launch } from './browser.mjs';
import { build, e2e } from './build.mjs';
import { loadCert } from './certs.mjs';
import { Cloakroom } from './cloakroom.mjs';
import { startProvider } from './provider.mjs';
import { freePort } from './server.mjs';

/**
 * stage registers a stage and returns play(name, fn): a test that gets the stage.
 * If it fails, screenshots and the end of Cloakroom's log go to results/.
 * Options: auth, accessTTL (seconds), jwt (access tokens are JWTs), session (of
 * config.yaml), strong (adds routes that demand more than a session), leaky (adds
 * the routes of leaky.mjs), backchannel (the provider tells Cloakroom of logouts),
 * partner (a second provider, on a third site, where Cloakroom proves itself by a
 * key), spa (of config.yaml, or a function that makes it; what it opens it adds to the
 * stage's closers), providers (more of them, as config.yaml has them) and pages (of
 * config.yaml).
 */
export function stage(options = {}) {
  const s = {};
  before(async () => { await open(s, { auth: 'client_secret_basic', accessTTL: 600, ...options }); }, { timeout: 60_000 });
  after(() => close(s));
  return (name, fn) => test(name, { timeout: 60_000 }, async (t) => {
    try {
      await fn(s, t);
    } catch (err) {
      await dump(s, name, err);
      throw err;
    } finally {
      await endContexts(s);
    }
  });
}

async function open(s, { auth, accessTTL, jwt, session, strong, leaky, backchannel, partner, spa, providers, pages }) {
  build();
  const certs = process.env.CLOAKROOM_E2E_CERTS;
  const appCert = loadCert(certs, 'app');
  const providerCert = loadCert(certs, 'provider');
  s.dir = mkdtempSync(join(tmpdir(), 'cloakroom-stage-'));
  s.clientSecret = randomBytes(24).toString('base64url');
  s.contexts = [];
  s.storage = [];
  s.closers = [];
  const [port, adminPort, providerPort] = [await freePort(), await freePort(), await freePort()];
  const app = `https://localhost:${port}`;
  s.api = await startAPI();
  s.provider = await startProvider({
    app, appCert: appCert.cert, cert: providerCert, port: providerPort, auth, accessTTL, jwt, backchannel, clientSecret: s.clientSecret,
  });
  s.api.provider = s.provider;
  if (partner) await openPartner(s, { app, appCert: appCert.cert, cert: providerCert, accessTTL, backchannel });
  s.attacker = await startAttacker({ app, cert: appCert });
  s.cloakroom = new Cloakroom(s.dir, {
    port, adminPort, cert: appCert, session, strong, leaky, providers, pages, auth, spa: typeof spa === 'function' ? await spa(s) : spa,
    clientSecret: s.clientSecret, keyFile: signingKey(s.dir),
    issuer: s.provider.issuer, providerCA: providerCert.certFile, api: s.api.url,
    ...(partner && { partner: { issuer: s.partner.issuer, auth: 'private_key_jwt' } }),
  });
  await s.cloakroom.start();
  s.url = s.cloakroom.url;
  s.journal = s.provider.journal;
  s.netLog = join(s.dir, 'net-log.json');
  s.browser = await launch({ spkis: [appCert.spki, providerCert.spki], netLog: s.netLog });
  // A context is a browser of its own: its cookies are nobody else's.
  s.newBrowser = async () => {
    const context = await s.browser.newContext();
    context.setDefaultTimeout(15_000);
    s.contexts.push(context);
    return context;
  };
  s.newPage = async () => (await s.newBrowser()).newPage();
  s.endContexts = () => endContexts(s);
}

// The API takes the tokens of both providers, and Cloakroom must keep them apart.
async function openPartner(s, settings) {
  s.partner = await startProvider({
    ...settings, name: 'partner', host: '127.0.0.2', port: await freePort(), auth: 'private_key_jwt',
  });
  const { provider, partner } = s;
  s.api.provider = { findToken: async (token) => await provider.findToken(token) ?? partner.findToken(token) };
}

function signingKey(dir) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = join(dir, 'client.pem');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

/** endContexts closes a test's browsers; what their storage held is kept for the search. */
async function endContexts(s) {
  for (const context of s.contexts.splice(0)) {
    s.storage.push(JSON.stringify(await context.storageState({ indexedDB: true })));
    await context.close();
  }
}

async function close(s) {
  await s.browser?.close();
  await s.cloakroom?.stop();
  await s.attacker?.close();
  await s.provider?.close();
  await s.partner?.close();
  await s.api?.close();
  for (const close of s.closers ?? []) await close();
  if (s.dir) rmSync(s.dir, { recursive: true, force: true });
}

/** dump leaves in results/ what helps to understand a failure. */
async function dump(s, name, err) {
  const dir = join(e2e, 'results', name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 80));
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'error.txt'), `${err?.stack ?? err}\n`);
  writeFileSync(join(dir, 'cloakroom.log'), (s.cloakroom?.output ?? '').split('\n').slice(-400).join('\n'));
  writeFileSync(join(dir, 'journal.json'), JSON.stringify(s.journal?.calls ?? [], null, 2));
  for (const [i, page] of s.contexts.flatMap((c) => c.pages()).entries()) {
    writeFileSync(join(dir, `page-${i}.txt`), `${page.url()}\n`);
    await page.screenshot({ path: join(dir, `page-${i}.png`), timeout: 3000 }).catch(() => {});
  }
  const tail = (s.cloakroom?.output ?? '').trimEnd().split('\n').slice(-15).join('\n');
  process.stderr.write(`\n${name}: failed; more in ${dir}. The end of Cloakroom's log:\n${tail}\n`);
}
