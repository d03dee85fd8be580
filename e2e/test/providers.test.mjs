// Two providers, each on a site of its own, that know the same people by the same
// names: who signs in at one is not who signs in at the other.

import assert from 'node:assert/strict';

import { call, logIn } from '../harness/browser.mjs';
import { hash } from '../harness/journal.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const play = stage({ backchannel: true, partner: true });

const displayed = { main: 'main', partner: 'Partner ID' };
const at = async (page) => (await call(page, '/bff/session')).body.provider;
const session = async (page) => (await page.context().cookies()).find((c) => c.name === '__Host-session');

/** choose clicks a provider on the chooser page, and through its own pages. */
async function choose(page, name, user = 'alice') {
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await page.getByRole('link', { name: displayed[name] }).click();
  await logIn(page, user);
  await page.getByText(`Signed in as ${user}`).waitFor();
}

/** signInAt begins at the app, where nobody is signed in yet. */
async function signInAt(s, page, name, user) {
  await page.goto(`${s.url}/orders/7`);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await choose(page, name, user);
  assert.equal(page.url(), `${s.url}/orders/7`);
}

/** headers returns what the API was last told. */
async function headers(s, page) {
  assert.equal((await call(page, '/api/orders')).status, 200);
  const { headers: got } = s.api.seen.at(-1);
  return [got['x-user'], got['x-issuer']];
}

// A11, B9, H2, H3: the chooser leads to either, each has a callback and a
// credential of its own, and the step from one to the other ends the first session.
play('one browser signs in at one provider, then at the other', async (s) => {
  const page = await s.newPage();
  const callbacks = [];
  page.on('request', (r) => { if (r.url().startsWith(`${s.url}/bff/callback`)) callbacks.push(new URL(r.url()).pathname); });
  await signInAt(s, page, 'main');
  assert.equal(await at(page), 'main');
  assert.deepEqual(await headers(s, page), ['alice', s.provider.issuer]);
  const before = await session(page);
  const first = s.journal.codes.at(-1);

  await page.goto(`${s.url}/bff/login?return_to=/orders/8`);
  await choose(page, 'partner');
  assert.equal(page.url(), `${s.url}/orders/8`);
  assert.equal(await at(page), 'partner');
  assert.deepEqual(await headers(s, page), ['alice', s.partner.issuer]);
  assert.deepEqual(callbacks, ['/bff/callback', '/bff/callback/partner']);

  // The ticket before is good for nothing, though the sub is the same.
  const thief = await s.newPage();
  await thief.context().addCookies([before]);
  await thief.goto(s.url);
  assert.equal((await call(thief, '/bff/user')).status, 401);
  await until('the first refresh token is revoked', () => s.journal.revocations.find((r) => r.token === first.rotated), 20_000);

  assert.deepEqual([...new Set(s.journal.calls.map((c) => c.auth))], ['client_secret_basic']);
  assert.deepEqual([...new Set(s.partner.journal.calls.map((c) => c.auth))], ['private_key_jwt']);
  assert.deepEqual(s.partner.journal.revocations, []);
});

// I1, I3: out at the provider where one signed in, and nowhere else.
play('a logout leads to the provider of the session', async (s) => {
  for (const [name, provider] of [['main', s.provider], ['partner', s.partner]]) {
    const page = await s.newPage();
    await signInAt(s, page, name);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Log out everywhere' }).waitFor();
    assert.equal(new URL(page.url()).origin, provider.issuer);
    await page.getByRole('button', { name: 'Log out everywhere' }).click();
    await page.waitForURL(`${s.url}/bff/signed-out`);
    await page.getByRole('link', { name: 'Go to the start page' }).click();
    await page.getByText('Signed out').waitFor();
  }
});

// B9, I6: alice at one provider and alice at the other are two people.
play('a back-channel logout of one leaves the namesake at the other', async (s) => {
  const [first, second] = [await s.newPage(), await s.newPage()];
  await signInAt(s, first, 'main');
  await signInAt(s, second, 'partner');
  for (const [provider, page, other] of [[s.provider, first, 200], [s.partner, second, undefined]]) {
    const told = provider.logouts.length;
    const there = await page.context().newPage();
    await there.goto(`${provider.issuer}/session/end`);
    await there.getByRole('button', { name: 'Log out everywhere' }).click();
    const logout = await until('the provider has told Cloakroom', () => provider.logouts[told]);
    assert.deepEqual([logout.ok, logout.sub], [true, 'alice']);
    assert.equal((await call(page, '/bff/user')).status, 401);
    if (other) assert.equal((await call(second, '/bff/user')).status, other);
  }
});

// OpenID Connect Core, 4: a link on any site names the provider by its issuer, and
// a page of the app.
play('a third party starts a sign-in at the provider that it names', async (s) => {
  const page = await s.newPage();
  const link = (iss, target) => `${s.url}/bff/login?${new URLSearchParams({ iss, target_link_uri: target })}`;
  const follow = async (href) => {
    await page.goto(s.attacker.crossSite);
    await page.evaluate((url) => { document.body.append(Object.assign(document.createElement('a'), { href: url, textContent: 'Go there' })); }, href);
    await page.getByRole('link', { name: 'Go there' }).click();
  };
  for (const [name, provider] of [['partner', s.partner], ['main', s.provider]]) {
    await follow(link(provider.issuer, `${s.url}/orders/9`));
    await page.getByLabel('User').waitFor();
    assert.equal(new URL(page.url()).origin, provider.issuer);
    await logIn(page);
    await page.waitForURL(`${s.url}/orders/9`);
    await page.getByText('Signed in as alice').waitFor();
    assert.equal(await at(page), name);
  }
  await follow(link('https://127.0.0.3', `${s.url}/`));
  await page.getByText('unknown_provider').waitFor();
  await follow(link(s.partner.issuer, 'https://127.0.0.3/'));
  await page.getByText('invalid_return_to').waitFor();
  await page.goto(s.url);
  assert.equal(await at(page), 'main');
});

// H1, K3: what is down is that provider.
play('with one provider down people sign in at the other', async (s) => {
  const page = await s.newPage();
  await s.provider.down();
  try {
    await signInAt(s, page, 'partner', 'bob');
    assert.equal((await call(page, '/api/orders')).body.who, 'bob');
  } finally {
    await s.provider.up();
  }
});

// D14, H1: whatever the tests above did, no token went to the other provider.
play('no token of one provider was ever shown to the other', async (s) => {
  for (const [journal, other] of [[s.journal, s.partner.journal], [s.partner.journal, s.journal]]) {
    const shown = journal.calls.flatMap((c) => [c.token, c.refresh]).filter(Boolean);
    assert.ok(shown.length > 0, 'nothing was shown to a provider');
    const theirs = new Set([...other.secrets.keys()].map(hash));
    assert.deepEqual(shown.filter((token) => theirs.has(token)), []);
  }
});

keepsSecrets(play);
