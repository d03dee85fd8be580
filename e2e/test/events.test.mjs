// What pages hear of their session, and where the user is signed in.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const play = stage({ accessTTL: 20, backchannel: true, session: { idle: '10s', recent_auth: '1m' } });

/** listen opens the event stream in page; heard(page) is what came. */
const listen = (page) => page.evaluate(() => new Promise((resolve) => {
  window.heard = [];
  window.stream = new EventSource('/bff/events');
  for (const name of ['expiring', 'renewed', 'changed', 'ended']) {
    window.stream.addEventListener(`session.${name}`, (e) => window.heard.push({ name, ...JSON.parse(e.data) }));
  }
  window.opened = 0;
  window.stream.onopen = () => { window.opened += 1; resolve(); };
  window.stream.onerror = resolve;
}));

const heard = (page) => page.evaluate(() => window.heard);
const closed = (page) => page.evaluate(() => window.stream.readyState === EventSource.CLOSED);

const waitFor = (page, name) => until(`session.${name}`, async () => (await heard(page)).find((e) => e.name === name));

// E8, I1: listening keeps no session alive; the page is warned, and told of the end,
// after which the browser stays away by itself.
play('a page is warned, told that the user is back, and told of the end', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  await listen(page);
  const warning = await waitFor(page, 'expiring');
  assert.equal(warning.limit, 'idle');
  assert.ok(warning.expires_in <= 2, `${warning.expires_in} s left`);
  assert.equal((await call(page, '/api/orders')).status, 200);
  assert.equal((await waitFor(page, 'renewed')).authenticated, true);
  const end = await until('the end', async () => (await heard(page)).find((e) => e.name === 'ended'), 20_000);
  assert.deepEqual(end, { name: 'ended', reason: 'idle', login_url: '/bff/login' });
  await until('the browser gives up', () => closed(page));
});

// The tab that signs out, and the provider, are heard in all others at once.
play('every tab hears of a sign-out, whoever asked for it', async (s) => {
  const context = await s.newBrowser();
  const [first, second] = [await context.newPage(), await context.newPage()];
  await signIn(first, s.url);
  await second.goto(s.url);
  await second.getByText('Signed in as alice').waitFor();
  await listen(first);
  await listen(second);
  assert.equal((await call(first, '/bff/logout', { method: 'POST' })).status, 200);
  for (const page of [first, second]) assert.equal((await waitFor(page, 'ended')).reason, 'logout');

  const other = await s.newPage();
  await signIn(other, s.url);
  await listen(other);
  const control = await other.context().newPage(); // ends the provider's session there
  await control.goto(`${s.provider.issuer}/session/end`);
  await control.getByRole('button', { name: 'Log out everywhere' }).click();
  assert.equal((await waitFor(other, 'ended')).reason, 'provider_logout');
});

// A token renewed for one tab's call is told to another, which then knows how long it lives.
play('a renewal is heard', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  await listen(page);
  const first = (await call(page, '/bff/session')).body.token.expires_in;
  await until('a renewal', async () => {
    await call(page, '/api/orders');
    return (await heard(page)).find((e) => e.name === 'renewed' && e.token.expires_in > first - 10);
  }, 25_000);
  assert.equal(await page.evaluate(() => window.opened), 1, 'a quiet stream is cut');
});

// I12: my devices.
play('users see their devices and sign them out', async (s) => {
  const [laptop, phone] = [await s.newPage(), await s.newPage()];
  await signIn(laptop, s.url, { user: 'carol' });
  await signIn(phone, s.url, { user: 'carol' });
  await listen(phone);
  const { sessions } = (await call(laptop, '/bff/sessions')).body;
  assert.equal(sessions.length, 2);
  assert.deepEqual(sessions.map((d) => d.current), [true, false]);
  for (const d of sessions) {
    assert.match(d.label, /Chrome on Linux$/);
    assert.equal(d.network, '127.0.0.0/24');
  }
  // The provider tells auth_time only where it is asked to: here it is not known.
  const refused = await call(laptop, `/bff/sessions/${sessions[1].id}`, { method: 'DELETE' });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, 'step_up_required');
  await laptop.goto(`${s.url}${refused.body.login_url}&return_to=/devices`);
  await laptop.waitForURL(`${s.url}/devices`);
  await laptop.getByText('Signed in as carol').waitFor();
  const again = (await call(laptop, '/bff/sessions')).body.sessions;
  const other = again.find((d) => d.id === sessions[1].id);
  assert.equal((await call(laptop, `/bff/sessions/${other.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await waitFor(phone, 'ended')).reason, 'ended_elsewhere');
  assert.equal((await call(phone, '/api/orders')).status, 401);
  assert.equal((await call(laptop, '/api/orders')).status, 200);
});

keepsSecrets(play);
