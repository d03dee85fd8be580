// Signing in from a deep link, by clicking through the provider's pages, and what
// of it the browser keeps.

import assert from 'node:assert/strict';

import { call, logIn, protocols, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

// A2, A3, B11: the user ends where the sign-in began, and nothing of the protocol
// stays in the address.
play('a deep link survives the sign-in', async (s) => {
  const page = await s.newPage();
  const visited = [];
  page.on('framenavigated', (frame) => visited.push(frame.url()));
  await page.goto(`${s.url}/orders/42?x=1&y=%20z`);
  await page.getByText('Signed out').waitFor();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await logIn(page, 'alice');
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(page.url(), `${s.url}/orders/42?x=1&y=%20z`);
  assert.equal(await page.locator('#where').textContent(), '/orders/42?x=1&y=%20z');
  assert.deepEqual(visited.filter((url) => /[?&](code|state)=/.test(url)), []);

  const [code] = s.journal.codes;
  assert.deepEqual([code.status, code.auth, code.pkce], [200, 'client_secret_basic', true]);
});

// E1, E2, E3, E15: the cookie as Chromium holds it, and what scripts can read of it.
play('the session cookie is out of the reach of scripts, siblings and other sites', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const cookies = (await page.context().cookies()).filter((c) => c.domain.endsWith('localhost'));
  const session = cookies.find((c) => c.name === '__Host-session');
  assert.ok(session, `cookies: ${cookies.map((c) => c.name)}`);
  const { value, ...attributes } = session;
  assert.ok(value.length > 40, 'the cookie is too short to hold a sealed ticket');
  assert.deepEqual(pick(attributes, 'domain', 'path', 'expires', 'httpOnly', 'secure', 'sameSite'), {
    domain: 'localhost', path: '/', expires: -1, httpOnly: true, secure: true, sameSite: 'Strict',
  });
  for (const c of cookies) {
    assert.match(c.name, /^__Host-/);
    assert.deepEqual(pick(c, 'path', 'httpOnly', 'secure'), { path: '/', httpOnly: true, secure: true }, c.name);
  }
  assert.equal(await page.evaluate(() => document.cookie), '');
});

// C2, G4, G5: what /bff/user shows, and what the API is told.
play('the page sees claims and the API sees who calls', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url, { user: 'bob' });
  const user = await call(page, '/bff/user');
  assert.equal(user.status, 200);
  assert.deepEqual(pick(user.body, 'sub', 'name', 'email'), { sub: 'bob', name: 'Bob Example', email: 'bob@example.com' });
  assert.equal(user.body.bff.provider, 'main');
  assert.equal(user.body.nonce, undefined);

  const orders = await call(page, '/api/orders?page=2', { headers: { 'X-User': 'mallory', Authorization: 'Bearer forged' } });
  assert.equal(orders.status, 200);
  assert.deepEqual(pick(orders.body, 'path', 'who', 'bearer'), { path: '/orders', who: 'bob', bearer: true });
  assert.equal(orders.body.headers['x-user'], 'bob');
  assert.equal(orders.body.headers.cookie, undefined, 'our cookie went upstream');
});

// G14: without a sign-in there is nothing, and the refusal says what to do.
play('signed out, calls get a problem that names the way in', async (s) => {
  const page = await s.newPage();
  await page.goto(`${s.url}/`);
  const before = s.api.seen.length;
  const refused = await call(page, '/api/orders');
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['content-type'], 'application/problem+json');
  assert.deepEqual(pick(refused.body, 'code', 'login_url'), { code: 'signed_out', login_url: '/bff/login' });
  assert.equal(s.api.seen.length, before, 'the API was called');
  assert.deepEqual((await call(page, '/bff/session')).body.authenticated, false);
});

// B5: the provider says no, because the user cancelled there.
play('a cancelled sign-in ends at a page with a way on', async (s) => {
  const page = await s.newPage();
  await page.goto(`${s.url}/orders/9`);
  await page.getByRole('link', { name: 'Sign in' }).click();
  const [answer] = await Promise.all([
    page.waitForResponse((r) => r.url().startsWith(`${s.url}/bff/callback`)),
    page.getByRole('button', { name: 'Cancel' }).click(),
  ]);
  assert.equal(answer.status(), 403);
  await page.getByText('sign_in_access_denied').waitFor();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('User').waitFor();
});

// E16, M1, M2, M4, M5, M7: headers of a page, a file, a call and a refusal; HTTP/2 to the browser.
play('answers are guarded by their headers and come over HTTP/2', async (s) => {
  const page = await s.newPage();
  const document = (await page.goto(`${s.url}/`)).headers();
  assert.match(document['content-security-policy'], /default-src 'self'.*frame-ancestors 'none'/);
  assert.equal(document['cross-origin-opener-policy'], 'same-origin');
  assert.equal(document['referrer-policy'], 'same-origin');
  await signIn(page, s.url, { path: '/orders/1' });

  const answers = {
    document, asset: (await call(page, '/app.js')).headers, api: (await call(page, '/api/orders')).headers,
    refusal: (await call(page, '/bff/nothing')).headers, missing: (await call(page, '/missing.js')).headers,
  };
  for (const [name, headers] of Object.entries(answers)) {
    assert.equal(headers['strict-transport-security'], 'max-age=31536000', name);
    assert.equal(headers['x-content-type-options'], 'nosniff', name);
    assert.equal(headers.server, undefined, name);
  }
  assert.equal(answers.api['cache-control'], 'private, no-store');
  assert.equal(answers.refusal['cache-control'], 'no-store');
  assert.equal(answers.refusal['content-type'], 'application/problem+json');
  assert.doesNotMatch(answers.missing['content-type'], /html/);
  assert.deepEqual([...new Set(await protocols(page))], ['h2']);
});

keepsSecrets(play);

function pick(object, ...names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}
