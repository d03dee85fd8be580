// Pages that only a session opens, with a Strict cookie. After a click on another
// site's page the browser holds that cookie back: these tests click.

import assert from 'node:assert/strict';

import { logIn, signIn, watch } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

// B12: from a typed address through the sign-in to the page, without a loop.
play('a gated page opened signed out is shown after the sign-in', async (s) => {
  const page = await s.newPage();
  const counts = watch(s, page);
  await page.goto(`${s.url}/reports/3?year=2026`);
  await logIn(page);
  await page.getByText('Report for alice').waitFor();
  assert.equal(page.url(), `${s.url}/reports/3?year=2026`);
  assert.deepEqual(counts, { '/reports/3': 2, '/bff/login': 1, '/bff/callback': 1 });
  await page.reload();
  await page.getByText('Report for alice').waitFor();
  assert.equal(counts['/bff/login'], 1);
});

// B12: a link on another site, signed in. The first request has no cookie.
play('a link on another site opens a gated page, by one hop', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const counts = watch(s, page);
  await page.goto(s.attacker.crossSite);
  await page.getByRole('link', { name: 'Your report' }).click();
  await page.getByText('Report for alice').waitFor();
  assert.deepEqual(counts, { '/reports/7': 2 });
});

// B12: the same, signed out: hop, then sign-in, then the page.
play('a link on another site leads to the sign-in if there is no session', async (s) => {
  const page = await s.newPage();
  const counts = watch(s, page);
  await page.goto(s.attacker.crossSite);
  await page.getByRole('link', { name: 'Your report' }).click();
  await logIn(page);
  await page.getByText('Report for alice').waitFor();
  assert.deepEqual(counts, { '/reports/7': 3, '/bff/login': 1, '/bff/callback': 1 });
});

// G12: the page is reached from the app itself too, and an API's answer is no page.
play('a gated page opens from the app, an API call does not', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  await page.getByRole('link', { name: 'Report 3' }).click();
  await page.getByText('Report for alice').waitFor();
  const answer = await page.goto(`${s.url}/api/orders`);
  assert.equal(answer.status(), 403);
  await page.getByText('not_a_document').waitFor();
});

keepsSecrets(play);
