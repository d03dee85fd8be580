// Access tokens that live for six seconds, and a page that notices nothing of it.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const ttl = 6;
const play = stage({ accessTTL: ttl });

/** expire waits till the token that the API saw last is no longer good. */
async function expire(s) {
  const token = [...s.api.tokens].at(-1);
  await until('the access token expires', async () => !(await s.provider.findToken(token)), (ttl + 4) * 1000);
}

// D1, D3, D11: a call a second over more than two lives of a token.
play('tokens are renewed without the page noticing', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const used = s.api.tokens.size;
  const before = s.journal.refreshes.length;
  const statuses = await page.evaluate(async (seconds) => {
    const list = [];
    for (let i = 0; i < seconds; i += 1) {
      list.push((await fetch(`/api/orders/${i}`)).status);
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
    }
    return list;
  }, 2 * ttl + 2);
  assert.deepEqual(statuses, statuses.map(() => 200));
  const refreshes = s.journal.refreshes.slice(before);
  assert.ok(refreshes.length >= 2, `${refreshes.length} renewals`);
  assert.deepEqual(refreshes.map((r) => r.status), refreshes.map(() => 200));
  assert.ok(s.api.tokens.size - used >= 3, `${s.api.tokens.size - used} different access tokens`);
  // Each refresh token was used once, and is the one that the last renewal gave.
  for (const [i, r] of refreshes.slice(1).entries()) assert.equal(r.refresh, refreshes[i].rotated);
});

// D4: the provider revokes everything if a refresh token comes twice.
play('fifty calls at the moment of expiry cause one renewal', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  assert.equal((await call(page, '/api/orders')).status, 200);
  await expire(s);
  const before = s.journal.refreshes.length;
  let sent = 0;
  page.on('request', (r) => { sent += r.url().includes('/api/burst/') ? 1 : 0; });
  s.provider.tokenGate.close();
  const burst = page.evaluate(() => Promise.all(Array.from({ length: 50 }, async (_, i) => (await fetch(`/api/burst/${i}`)).status)));
  await until('fifty calls are sent and one renewal has arrived', () => sent === 50 && s.provider.tokenGate.waiting > 0);
  s.provider.tokenGate.open();
  assert.deepEqual(await burst, Array(50).fill(200));
  assert.equal(s.journal.refreshes.length - before, 1);

  await expire(s);
  assert.equal((await call(page, '/api/orders')).status, 200, 'the next renewal');
  assert.deepEqual(s.journal.refreshes.filter((r) => r.error), []);
});

// D6: the browser leaves in the middle of a renewal.
play('a renewal survives the page that caused it', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  assert.equal((await call(page, '/api/orders')).status, 200);
  await expire(s);
  const before = s.journal.refreshes.length;
  s.provider.tokenGate.close();
  await page.evaluate(() => { fetch('/api/left').catch(() => {}); });
  await until('the renewal has arrived', () => s.provider.tokenGate.waiting > 0);
  await page.goto('about:blank');
  s.provider.tokenGate.open();
  await until('the provider has answered', () => s.journal.refreshes.length > before);
  await page.goto(`${s.url}/`);
  assert.equal((await call(page, '/api/orders')).status, 200);
  assert.equal(s.journal.refreshes.length - before, 1);
});

// J10, R1, R26: what is on disk is enough, whether Cloakroom said good-bye or not.
for (const signal of ['SIGTERM', 'SIGKILL']) {
  play(`a session survives a restart after ${signal}`, async (s) => {
    const page = await s.newPage();
    await signIn(page, s.url);
    assert.equal((await call(page, '/api/orders')).status, 200);
    const code = await s.cloakroom.stop(signal);
    assert.equal(code, signal === 'SIGTERM' ? 0 : null);
    await s.cloakroom.start();
    assert.equal((await call(page, '/bff/user')).body.sub, 'alice');
    assert.equal((await call(page, '/api/orders')).status, 200);
    await expire(s);
    assert.equal((await call(page, '/api/orders')).status, 200, 'the next renewal');
    assert.deepEqual(s.journal.refreshes.filter((r) => r.error), []);
  });
}

// D7, R2: an outage of the provider is no logout.
play('the provider is down: the valid token serves, then calls wait, and nobody is logged out', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  assert.equal((await call(page, '/api/orders')).status, 200);
  await s.provider.down();
  try {
    assert.equal((await call(page, '/api/orders')).status, 200, 'the token is still good');
    await expire(s);
    const refused = await call(page, '/api/orders');
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['content-type'], 'application/problem+json');
    assert.equal(refused.body.code, 'unavailable');
    assert.match(refused.headers['retry-after'], /^[1-9][0-9]*$/);
    assert.equal((await call(page, '/bff/user')).status, 200);
  } finally {
    await s.provider.up();
  }
  await until('calls work again', async () => (await call(page, '/api/orders')).status === 200, 20_000);
  assert.equal((await call(page, '/bff/user')).body.sub, 'alice');
});

keepsSecrets(play);
