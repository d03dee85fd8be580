// A callback is good once, in the browser that began, and harmless ever after.

import assert from 'node:assert/strict';

import { logIn, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

/** keepBack signs in at page as far as the callback, and returns that instead of opening it. */
async function keepBack(s, page, path, user) {
  const kept = new Promise((resolve) => { s.provider.onCallback = resolve; });
  await page.goto(s.url + path);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await logIn(page, user);
  const callback = await kept;
  s.provider.onCallback = undefined;
  return callback;
}

// B2: opening the callback again makes no call to the provider and ends at the same page.
play('the callback opened again leads to the same page', async (s) => {
  const page = await s.newPage();
  const [request] = await Promise.all([
    page.waitForRequest((r) => r.url().startsWith(`${s.url}/bff/callback?`)),
    signIn(page, s.url, { path: '/orders/5' }),
  ]);
  const callback = request.url();
  const calls = s.journal.codes.length;
  for (let i = 0; i < 2; i += 1) {
    await page.goto(callback);
    await page.waitForURL(`${s.url}/orders/5`);
    await page.getByText('Signed in as alice').waitFor();
  }
  await page.reload();
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(s.journal.codes.length, calls);
});

// B2: what people do when a page seems slow.
play('going back and forward after the sign-in redeems nothing again', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url, { path: '/orders/6' });
  const calls = s.journal.codes.length;
  await page.goBack();
  await page.waitForURL(`${s.provider.issuer}/**`);
  await page.goForward();
  await page.waitForURL(`${s.url}/orders/6`);
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(s.journal.codes.length, calls);
});

// B2: the same callback in many tabs at once.
play('a callback opened in five tabs at once is redeemed once', async (s) => {
  const context = await s.newBrowser();
  const callback = await keepBack(s, await context.newPage(), '/orders/8', 'alice');
  const calls = s.journal.codes.length;

  const tabs = await Promise.all(Array.from({ length: 5 }, () => context.newPage()));
  await Promise.all(tabs.map((tab) => tab.goto(callback)));
  for (const tab of tabs) await tab.waitForURL(`${s.url}/orders/8`);
  await tabs[0].reload();
  await tabs[0].getByText('Signed in as alice').waitFor();
  assert.equal(s.journal.codes.length - calls, 1);
});

// A6, B1, F7: login CSRF. A callback is worth nothing in another browser.
play('a callback from another browser signs nobody in', async (s) => {
  const victim = await s.newPage();
  const callback = await keepBack(s, await s.newPage(), '/', 'mallory');
  const calls = s.journal.codes.length;

  const answer = await victim.goto(callback);
  assert.equal(answer.status(), 400);
  await victim.getByText('login_expired').waitFor();
  assert.deepEqual((await victim.context().cookies()).filter((c) => c.name === '__Host-session'), []);
  assert.equal(s.journal.codes.length, calls);
});

keepsSecrets(play);
