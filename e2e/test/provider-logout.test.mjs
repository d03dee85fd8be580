// Logouts that begin at the provider: back-channel, and front-channel in a frame.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const play = stage({ backchannel: true });

/** lastSID is the provider's session of whoever signed in last. */
function lastSID(s) {
  const token = [...s.journal.secrets].filter(([, kind]) => kind === 'ID token').at(-1)[0];
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sid;
}

const user = async (page) => (await call(page, '/bff/user')).status;

/** logOutAtProvider goes to the provider itself, where nothing names a client. */
async function logOutAtProvider(s, page) {
  const there = await page.context().newPage();
  await there.goto(`${s.provider.issuer}/session/end`);
  await there.getByRole('button', { name: 'Log out everywhere' }).click();
  await there.getByRole('heading', { name: 'Logged out' }).waitFor();
}

// I5, I6, I7: two sessions of one user; the sid names one of them.
play('a logout at the provider ends the session here, and that one alone', async (s) => {
  const [first, second] = [await s.newPage(), await s.newPage()];
  await signIn(first, s.url);
  const sid = lastSID(s);
  await signIn(second, s.url);
  assert.notEqual(lastSID(s), sid);
  assert.deepEqual([await user(first), await user(second)], [200, 200]);

  await logOutAtProvider(s, first);
  const told = await until('the provider has told Cloakroom', () => s.provider.logouts.at(-1));
  assert.deepEqual(told, { ok: true, sub: 'alice', sid });
  assert.deepEqual([await user(first), await user(second)], [401, 200]);
  assert.equal((await call(first, '/api/orders')).status, 401);
  assert.equal((await call(second, '/api/orders')).status, 200);
  const events = s.cloakroom.records((r) => r.audit && r.reason === 'backchannel_logout').map((r) => r.msg);
  assert.deepEqual(events.sort(), ['provider_logout', 'session_ended']);
});

// I7: what was answered 200 is so after a kill too.
play('a session that the provider ended stays dead when Cloakroom is killed at once', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url, { user: 'bob' });
  const before = s.provider.logouts.length;
  await logOutAtProvider(s, page);
  await until('the provider has told Cloakroom', () => s.provider.logouts.length > before);
  await s.cloakroom.stop('SIGKILL');
  assert.equal(s.provider.logouts.at(-1).ok, true);
  await s.cloakroom.start();
  assert.equal(await user(page), 401);
});

// I9: the frame is another site's, so no cookie goes with it.
play('a front-channel logout in a cross-site frame ends the session that it names', async (s) => {
  const [first, second] = [await s.newPage(), await s.newPage()];
  await signIn(first, s.url, { user: 'carol' });
  const src = `${s.url}/bff/frontchannel-logout/main?iss=${encodeURIComponent(s.provider.issuer)}&sid=${lastSID(s)}`;
  await signIn(second, s.url, { user: 'carol' });

  // The browser of the second one opens the page that names the first one's.
  const there = await second.context().newPage();
  await there.goto(`${s.provider.issuer}/frames?src=${encodeURIComponent(src)}`);
  const frame = await until('the frame is there', () => there.frames()[1]);
  await frame.waitForLoadState();
  assert.deepEqual([frame.url(), await frame.title()], [src, 'Signed out']);
  assert.deepEqual([await user(first), await user(second)], [401, 200]);

  // Nobody else's page shows it.
  const evil = await second.context().newPage();
  await evil.goto(s.attacker.crossSite);
  await evil.evaluate((at) => { document.body.append(Object.assign(document.createElement('iframe'), { src: at })); }, src);
  await until('the frame is refused', () => evil.frames()[1]?.url().startsWith('chrome-error:'));
});

// I11: what the app stored goes with the session, and nobody else's cookies.
play('a logout clears what the app stored, and no cookie but its own', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url, { user: 'dave' });
  await page.context().addCookies([{ name: 'sibling', value: 'kept', domain: 'localhost', path: '/' }]);
  await page.evaluate(async () => {
    localStorage.setItem('draft', 'secret plans');
    await (await caches.open('orders')).put('/orders.json', new Response('[]'));
  });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Log out everywhere' }).click();
  await page.waitForURL(`${s.url}/bff/signed-out`);
  assert.deepEqual(await page.evaluate(async () => [localStorage.length, await caches.keys()]), [0, []]);
  const cookies = (await page.context().cookies(s.url)).map((c) => c.name);
  assert.ok(cookies.includes('sibling') && !cookies.includes('__Host-session'), `${cookies}`);
});

keepsSecrets(play);
