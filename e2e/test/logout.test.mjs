// Logout: here first, then at the provider.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const play = stage();

const session = async (page) => (await page.context().cookies()).find((c) => c.name === '__Host-session');

/** isRevoked waits till the refresh token of a token call is revoked. */
async function isRevoked(s, last) {
  const revocation = await until('the refresh token is revoked', () => s.journal.revocations.find((r) => r.token === last.rotated), 20_000);
  assert.deepEqual([revocation.status, revocation.auth, revocation.hint], [200, 'client_secret_basic', 'refresh_token']);
}

// I1, I2, I3: a form, as an app without any script has it.
play('a logout by form ends the session here, revokes, and asks at the provider', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url, { path: '/orders/3' });
  assert.equal((await call(page, '/api/orders')).status, 200);
  const token = [...s.api.tokens].at(-1);
  const issued = s.journal.codes.at(-1);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Log out' }).waitFor();
  const url = new URL(page.url());
  assert.equal(url.origin, s.provider.issuer);
  assert.ok(url.searchParams.get('id_token_hint'));
  assert.ok(url.searchParams.get('state'));
  assert.equal(url.searchParams.get('post_logout_redirect_uri'), `${s.url}/bff/logout/callback`);
  // The user has confirmed nothing yet.
  assert.equal(await session(page), undefined, 'the cookie is still there');
  await isRevoked(s, issued);
  assert.equal(await s.provider.findToken(token), undefined, 'the access token is still good');

  await page.getByRole('button', { name: 'Log out everywhere' }).click();
  await page.waitForURL(`${s.url}/bff/signed-out`);
  await page.getByRole('link', { name: 'Sign in again' }).click();
  await page.getByLabel('User').waitFor();
});

// I1, I3: fetch gets the address instead of a redirect that it could not follow.
play('a logout by fetch says where to go on', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const stolen = await session(page);
  const issued = s.journal.codes.at(-1);
  const answer = await call(page, '/bff/logout', { method: 'POST' });
  assert.equal(answer.status, 200);
  assert.equal(await session(page), undefined, 'the cookie is still there');
  await isRevoked(s, issued);
  // I1: it is the session that ended, not only its cookie.
  await page.context().addCookies([stolen]);
  assert.equal((await call(page, '/bff/user')).status, 401);
  assert.equal((await call(page, '/api/orders')).status, 401);

  await page.goto(answer.body.logout_url);
  await page.getByRole('button', { name: 'Log out everywhere' }).click();
  await page.waitForURL(`${s.url}/bff/signed-out`);
  await page.getByRole('link', { name: 'Go to the start page' }).click();
  await page.getByText('Signed out').waitFor();
});

// I1, I2: the provider's absence keeps no session alive, and it is told later.
play('a logout works while the provider is down, which is told when it is back', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const stolen = await session(page);
  const issued = s.journal.codes.at(-1);
  await s.provider.down();
  try {
    assert.equal((await call(page, '/bff/logout', { method: 'POST' })).status, 200);
    assert.equal(await session(page), undefined);
    await page.context().addCookies([stolen]);
    assert.equal((await call(page, '/bff/user')).status, 401);
  } finally {
    await s.provider.up();
  }
  await isRevoked(s, issued);
});

// I3: the way back is for the browser that left, with the state that it left with.
play('the logout callback takes nothing but its own state', async (s) => {
  const page = await s.newPage();
  const forged = async () => {
    const answer = await page.goto(`${s.url}/bff/logout/callback?state=forged`);
    await page.getByText('logout_state').waitFor();
    return answer.status();
  };
  assert.equal(await forged(), 400, 'never signed in');
  await signIn(page, s.url);
  await call(page, '/bff/logout', { method: 'POST' });
  assert.equal(await forged(), 400, 'a logout is under way');
});

keepsSecrets(play);
