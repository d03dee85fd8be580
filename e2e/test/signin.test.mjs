// Signing in from a deep link, by clicking through the provider's pages.

import assert from 'node:assert/strict';

import { call, logIn, protocols, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

// A5, B1, B9: the user ends where the sign-in began, and nothing of the protocol
// stays in the address or in the history that scripts see.
play('a deep link survives the sign-in', async (s) => {
  const page = await s.newPage();
  await page.goto(`${s.url}/orders/42?x=1&y=%20z`);
  await page.getByText('Signed out').waitFor();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await logIn(page, 'alice');
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(page.url(), `${s.url}/orders/42?x=1&y=%20z`);
  assert.equal(await page.locator('#where').textContent(), '/orders/42?x=1&y=%20z');
});
keepsSecrets(play);
