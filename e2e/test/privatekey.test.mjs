// A client that proves itself by a key (RFC 7523), access tokens that are JWTs, and
// a provider that ends its session on its own.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const ttl = 6;
const play = stage({ auth: 'private_key_jwt', jwt: true, accessTTL: ttl });

/** renewed calls the API till the provider has seen another renewal. */
async function renewed(s, page) {
  const before = s.journal.refreshes.length;
  const answers = [];
  await until('a renewal', async () => {
    answers.push(await call(page, '/api/orders'));
    return s.journal.refreshes.length > before;
  }, (ttl + 4) * 1000);
  return answers;
}

// A1, C7: the provider reads our public key from /bff/jwks; no secret is shared.
play('sign-in, renewal and revocation work with a private key', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const answers = await renewed(s, page);
  assert.deepEqual(answers.map((a) => a.status), answers.map(() => 200));
  assert.equal((await call(page, '/api/orders')).body.who, 'alice');
  assert.equal((await call(page, '/bff/logout', { method: 'POST' })).status, 200);
  await until('the revocation', () => s.journal.revocations.length > 0);
  const calls = s.journal.calls.map((c) => [c.auth, c.status]);
  assert.deepEqual(calls, calls.map(() => ['private_key_jwt', 200]));

  const { keys } = (await call(page, '/bff/jwks')).body;
  assert.deepEqual(keys.map((k) => [k.kty, k.crv, k.use, k.d]), [['EC', 'P-256', 'sig', undefined]]);
});

// D7: the provider ends its session. Ours lives until the next renewal is
// refused, and then ends cleanly.
play('a logout at the provider alone ends the session at the next renewal', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  assert.equal((await call(page, '/api/orders')).status, 200);
  const other = await page.context().newPage();
  await other.goto(`${s.provider.issuer}/session/end`);
  await other.getByRole('button', { name: 'Log out everywhere' }).click();
  await other.getByRole('heading', { name: 'Logged out' }).waitFor();
  assert.equal((await call(page, '/bff/user')).status, 200, 'nobody has told us yet');

  const answers = await renewed(s, page);
  assert.equal(s.journal.refreshes.at(-1).error, 'invalid_grant');
  const refused = await until('the session is over', async () => {
    const answer = await call(page, '/api/orders');
    return answer.status !== 200 && answer;
  });
  assert.deepEqual(answers.slice(0, -1).map((a) => a.status), answers.slice(0, -1).map(() => 200));
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['content-type'], 'application/problem+json');
  assert.deepEqual([refused.body.code, refused.body.login_url], ['signed_out', '/bff/login']);
  assert.equal((await call(page, '/bff/user')).status, 401);
  const tries = s.journal.refreshes.length;
  await page.reload();
  await page.getByText('Signed out').waitFor();
  assert.equal(s.journal.refreshes.length, tries, 'a refused token was sent again');
});

keepsSecrets(play);
