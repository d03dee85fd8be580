// The canary search is worth only what it finds: here the secrets are planted, in
// every place and encoding, and each must be found.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { call, signIn } from '../harness/browser.mjs';
import { forBrowser, forLog, search } from '../harness/canary.mjs';
import { searchStage } from '../harness/leaks.mjs';
import { leaks } from '../harness/leaky.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage({ leaky: true });

play('what an API leaks through a real browser is found', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  for (const path of leaks) await call(page, path);
  await page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket(`wss://${location.host}/api/ws`);
    socket.onopen = () => socket.send('leak');
    socket.onmessage = (m) => m.data.startsWith('hello') || resolve();
  }));
  const { body } = await call(page, '/leaky/body/raw');
  await page.evaluate((token) => localStorage.setItem('user', token), body.message.slice('bad token: '.length));
  const [refresh] = [...s.journal.secrets].find(([, kind]) => kind === 'refresh token');
  s.cloakroom.output += `{"level":"DEBUG","msg":"renewal","body":"refresh_token=${encodeURIComponent(refresh)}"}\n`;
  writeFileSync(join(s.dir, 'planted.db'), Buffer.concat([Buffer.from([0, 255, 1]), Buffer.from(refresh), Buffer.from([0])]));

  const { found } = await searchStage(s);
  const places = (kind) => new Set(found.filter((f) => f.kind === kind).map((f) => f.place));
  const access = places('access token');
  assert.deepEqual(leaks.filter((path) => !access.has(`GET ${path}`)), [], 'not found');
  assert.ok(access.has('cookies and storage'));
  assert.ok([...access].some((place) => place.startsWith('connection ')), 'the WebSocket frame was not found');
  assert.deepEqual([...places('refresh token')].sort(), ['log', 'planted.db']);
  // What was not planted is not found.
  const elsewhere = [...access].filter((p) => !p.startsWith('GET /leaky/') && !p.startsWith('connection ') && p !== 'cookies and storage');
  assert.deepEqual(elsewhere, []);
  assert.deepEqual([...new Set(found.map((f) => f.kind))].sort(), ['access token', 'refresh token']);
});

const claims = '{"sub":"alice","nonce":"n-0S6_WzA2Mj","aud":"cloakroom","exp":1}';
const idToken = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(claims).toString('base64url')}.${'s1gnature_-'.repeat(20)}`;

const rows = [
  ['an ID token in the end-session redirect', `location: https://op/end?id_token_hint=${idToken}&state=x`, true, 0],
  ['an ID token there and once more', `location: https://op/end?id_token_hint=${idToken}\nx-debug: ${idToken}`, true, 1],
  ['the same redirect in another answer', `location: https://op/end?id_token_hint=${idToken}`, false, 1],
  ['the payload without its signature', `claims=${idToken.split('.')[1]}`, false, 1],
  ['the signature alone', idToken.split('.')[2], false, 1],
  ['the header, which is the same for all', idToken.split('.')[0], false, 0],
  ['the claims, which the user may see', claims, false, 0],
  ['percent-encoded twice', Buffer.from(idToken).toString('hex').replace(/../g, '%25$&'), false, 1],
];
for (const [name, content, idTokenHint, want] of rows) {
  test(`search: ${name}`, () => {
    const found = search([[idToken, 'ID token']], [{ name: 'place', content, idTokenHint, kinds: forBrowser }]);
    assert.equal(found.length, want);
  });
}

// The browser must have the state; the log must not.
test('search: each place has secrets of its own', () => {
  const secrets = [['the-state-of-this-very-request', 'state']];
  const content = 'path=/bff/callback?state=the-state-of-this-very-request';
  assert.equal(search(secrets, [{ name: 'answer', content, kinds: forBrowser }]).length, 0);
  assert.equal(search(secrets, [{ name: 'log', content, kinds: forLog }]).length, 1);
});
