// Cloakroom's own pages as they come, and what they are for. harness/looks.mjs says
// what each must be fit for.

import assert from 'node:assert/strict';

import { logIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { looks, open, views } from '../harness/looks.mjs';
import { stage } from '../harness/stage.mjs';

const provider = (name, displayName) => ({
  name, display_name: displayName, issuer: `https://localhost:1/${name}`, client_id: 'c', client_secret: `chooser-${name}`, token_timeout: '5s',
});
const play = stage({ providers: [provider('staff', 'Harbour staff'), provider('partners', 'Partners, forwarding agents and customs offices')] });

// The pages, and the links on each in their order.
looks(play, 'plain', [
  { name: 'choice', path: '/bff/login?return_to=/orders/7', links: ['main', 'Harbour staff', 'Partners, forwarding agents and customs offices'] },
  { name: 'error', path: '/nothing.js', links: ['Go to the start page'] },
  { name: 'error-expired', path: '/bff/callback?state=0123456789abcdef&code=x', links: ['Sign in again', 'Go to the start page'] },
  { name: 'error-german', path: '/bff/login?provider=staff&ui_locales=de', links: ['Noch einmal versuchen', 'Zur Startseite'] },
  { name: 'hop', hop: true, path: '/reports/7', links: ['Continue'] },
  { name: 'signed-out', path: '/bff/signed-out', links: ['Sign in again', 'Go to the start page'] },
  { name: 'signed-in', path: '/bff/signed-in', links: [] },
]);

// N5: what a person can tell the operator leads to the log.
play('the reference on an error page is in the log', async (s) => {
  const { page } = await open(s, { path: '/bff/callback?state=0123456789abcdef&code=x' }, views[0]);
  const reference = await page.locator('.reference').textContent();
  assert.match(reference, /^[0-9a-f]{12}$/);
  assert.equal(s.cloakroom.records((r) => r.reference === reference && r.code === 'login_expired').length, 1);
});

// A sign-in in a window of its own tells the app, and the window goes.
play('a sign-in in a popup tells the app and closes itself', async (s) => {
  const page = await s.newPage();
  await page.goto(s.url);
  await page.evaluate(() => {
    window.told = new Promise((resolve) => { new BroadcastChannel('cloakroom').onmessage = (e) => resolve(e.data); });
  });
  const [popup] = await Promise.all([
    page.waitForEvent('popup'),
    page.evaluate(() => { window.open('/bff/login?provider=main&return_to=/bff/signed-in', '', 'popup,width=480,height=640'); }),
  ]);
  const closed = popup.waitForEvent('close');
  await logIn(popup).catch((err) => { if (!popup.isClosed()) throw err; });
  assert.deepEqual(await page.evaluate(() => window.told), { type: 'signed-in' });
  await closed;
  assert.equal(await page.evaluate(async () => (await (await fetch('/bff/session')).json()).authenticated), true);
});

// Without script, or in a window that no script opened, the page says it.
play('a sign-in that can\'t close its window says that one may', async (s) => {
  const context = await s.browser.newContext({ javaScriptEnabled: false });
  s.contexts.push(context);
  const page = await context.newPage();
  await page.goto(`${s.url}/bff/login?provider=main&return_to=/bff/signed-in`);
  await logIn(page);
  await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
  await page.getByText('You may close this window.').waitFor();
});

keepsSecrets(play);
