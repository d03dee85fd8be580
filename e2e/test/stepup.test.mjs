// Calls that need more than a session: a stronger sign-in, or a claim.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { mfa } from '../harness/policy.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage({ strong: true });

/** logInAgain does what the provider asks for: it knows the user, and wants the level. */
async function logInAgain(page, user = 'alice') {
  await page.getByText(`Level: ${mfa}`).waitFor();
  await page.getByLabel('User').fill(user);
  await page.getByRole('button', { name: 'Log in' }).click();
}

// C11, B7, B10: the route's demand, through the provider's pages and back.
play('a stronger sign-in replaces the session and leads back to the same place', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const cookie = async () => (await page.context().cookies()).find((c) => c.name === '__Host-session').value;
  const before = await cookie();
  const seen = s.api.seen.length;
  const refused = await call(page, '/api/payments', { method: 'POST' });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, 'step_up_required');
  assert.equal(s.api.seen.length, seen);
  const login = new URL(refused.body.login_url, s.url);
  assert.equal(login.searchParams.get('acr_values'), mfa);
  login.searchParams.set('return_to', '/orders/7?pay=1');
  await page.goto(login.href);
  await logInAgain(page);
  await page.waitForURL(`${s.url}/orders/7?pay=1`);
  await page.getByText('Signed in as alice').waitFor();
  assert.equal((await call(page, '/api/payments', { method: 'POST' })).status, 200);
  assert.equal((await call(page, '/bff/user')).body.bff.acr, mfa);
  assert.notEqual(await cookie(), before);
});

// B12, C11: a page that demands it, opened from a link; no loop.
play('a page that demands a stronger sign-in is shown after it', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  await page.goto(`${s.url}/vault/7`);
  await logInAgain(page);
  await page.getByText('Report for alice').waitFor();
  assert.equal(page.url(), `${s.url}/vault/7`);
  await page.reload();
  await page.getByText('Report for alice').waitFor();
});

// RFC 9470: the API itself asks for it.
play('an API that asks for a stronger sign-in is understood', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  s.api.challenge = `Bearer error="insufficient_user_authentication", acr_values="${mfa}", max_age="300"`;
  try {
    const refused = await call(page, '/api/orders');
    assert.equal(refused.status, 401);
    assert.equal(refused.body.login_url, `/bff/login?acr_values=${encodeURIComponent(mfa)}&max_age=300`);
    await page.goto(`${s.url}${refused.body.login_url}&return_to=/orders/1`);
  } finally {
    s.api.challenge = undefined;
  }
  await logInAgain(page);
  await page.waitForURL(`${s.url}/orders/1`);
  assert.equal((await call(page, '/api/orders')).status, 200);
  assert.ok((await call(page, '/bff/user')).body.bff.auth_time > Date.now() / 1000 - 300);
});

// A claim that the app sees too decides; signing in again as the same person would not help.
play('a rule on a claim lets some in and others not', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const refused = await call(page, '/api/staff');
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, 'not_permitted');
  assert.equal(refused.body.login_url, undefined);
  assert.equal((await call(page, '/api/orders')).status, 200);
  const other = await s.newPage();
  await signIn(other, s.url, { user: 'bob' });
  assert.equal((await call(other, '/api/staff')).status, 200);
});

keepsSecrets(play);
