// spa.gate: the app's own pages need a session, with a Strict cookie that the browser
// holds back after a click on another site. These tests click.

import assert from 'node:assert/strict';

import { logIn, watch } from '../harness/browser.mjs';
import { e2e } from '../harness/build.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage({ spa: { dir: `${e2e}/site`, gate: true, public: ['/welcome/'] } });

// B12: from a typed address through the sign-in to the same place, without a loop.
play('the app opened signed out is shown after the sign-in, at the same place', async (s) => {
  const page = await s.newPage();
  const counts = watch(s, page);
  await page.goto(`${s.url}/orders/7?year=2026`);
  await logIn(page);
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(page.url(), `${s.url}/orders/7?year=2026`);
  assert.deepEqual(counts, { '/orders/7': 2, '/bff/login': 1, '/bff/callback': 1 });
  await page.reload();
  await page.getByText('Signed in as alice').waitFor();
  await page.goto(`${s.url}/`);
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(counts['/bff/login'], 1);
});

// B12: a link on another site, signed in: by one hop, without a sign-in; a reload too.
play('a link on another site opens the app without a sign-in', async (s) => {
  const page = await s.newPage();
  await page.goto(s.url);
  await logIn(page);
  await page.getByText('Signed in as alice').waitFor();
  const counts = watch(s, page);
  await page.goto(s.attacker.crossSite);
  await page.getByRole('link', { name: 'Your order' }).click();
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(page.url(), `${s.url}/orders/7?year=2026`);
  assert.deepEqual(counts, { '/orders/7': 2 });
  await page.reload();
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(counts['/bff/login'], undefined);
});

play('a link on another site leads to the sign-in if there is no session', async (s) => {
  const page = await s.newPage();
  const counts = watch(s, page);
  await page.goto(s.attacker.crossSite);
  await page.getByRole('link', { name: 'Your order' }).click();
  await logIn(page);
  await page.getByText('Signed in as alice').waitFor();
  assert.deepEqual(counts, { '/orders/7': 3, '/bff/login': 1, '/bff/callback': 1 });
});

play('a public page is shown to everybody, and signing out closes the others', async (s) => {
  const page = await s.newPage();
  const counts = watch(s, page);
  await page.goto(`${s.url}/welcome/new`);
  await page.getByText('Signed out').waitFor();
  assert.deepEqual(counts, { '/welcome/new': 1 });
  await page.getByRole('link', { name: 'Sign in' }).click();
  await logIn(page);
  await page.getByText('Signed in as alice').waitFor();
  assert.equal(page.url(), `${s.url}/welcome/new`);
  const gone = await page.evaluate(async () => {
    await fetch('/bff/logout', { method: 'POST' });
    const res = await fetch('/index.html');
    return [res.status, (await res.json()).code];
  });
  assert.deepEqual(gone, [401, 'signed_out']);
});

keepsSecrets(play);
