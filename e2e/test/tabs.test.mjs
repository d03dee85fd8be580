// Several tabs of one browser.

import assert from 'node:assert/strict';

import { call, logIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

// A7: each tab has a transaction of its own, whatever the order in which they end.
play('two interleaved sign-ins both end at their own page, and a logout ends both', async (s) => {
  const context = await s.newBrowser();
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(`${s.url}/orders/1`);
  await second.goto(`${s.url}/orders/2`);
  await first.getByRole('link', { name: 'Sign in' }).click();
  await first.getByLabel('User').waitFor();
  await second.getByRole('link', { name: 'Sign in' }).click();
  await second.getByLabel('User').waitFor();

  await logIn(second);
  await second.waitForURL(`${s.url}/orders/2`);
  await second.getByText('Signed in as alice').waitFor();
  // The provider knows the user meanwhile, and may ask less of this tab.
  await first.getByLabel('User').fill('alice');
  await first.getByRole('button', { name: 'Log in' }).click();
  await first.waitForURL(`${s.url}/orders/1`);
  await first.getByText('Signed in as alice').waitFor();
  assert.equal(s.journal.codes.length, 2);
  for (const tab of [first, second]) assert.equal((await call(tab, '/api/orders')).status, 200);

  assert.equal((await call(first, '/bff/logout', { method: 'POST' })).status, 200);
  const refused = await call(second, '/api/orders');
  assert.equal(refused.status, 401);
  assert.equal(refused.headers['content-type'], 'application/problem+json');
  assert.equal(refused.body.login_url, '/bff/login');
});

// A7: unfinished sign-ins don't pile up in the browser.
play('sign-ins that nobody finishes leave at most five cookies', async (s) => {
  const page = await s.newPage();
  for (let i = 0; i < 8; i += 1) {
    await page.goto(`${s.url}/orders/${i}`);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('User').waitFor();
  }
  const logins = (await page.context().cookies()).filter((c) => c.name.startsWith('__Host-login-'));
  assert.equal(logins.length, 5);
  await logIn(page);
  await page.waitForURL(`${s.url}/orders/7`);
  await page.getByText('Signed in as alice').waitFor();
});

keepsSecrets(play);
