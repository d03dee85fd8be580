// The React example, and with it @cloakroom/client, in a browser: what an app's users
// go through.

import assert from 'node:assert/strict';

import { logIn } from '../harness/browser.mjs';
import { buildExample } from '../harness/example.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { mfa } from '../harness/policy.mjs';
import { stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const play = stage({ strong: true, session: { idle: '25s' }, spa: () => ({ dir: buildExample() }) });

/** open opens path and notes what the browser complains of. */
async function open(s, context, path = '/') {
  const page = await context.newPage();
  s.complaints ??= [];
  page.on('console', (m) => { if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) s.complaints.push(m.text()); });
  page.on('pageerror', (err) => s.complaints.push(`${err}`));
  await page.goto(s.url + path);
  return page;
}

/** signIn signs in by redirect. */
async function signIn(page, user = 'alice') {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await logIn(page, user);
  await page.locator('header').getByRole('button', { name: 'Sign out' }).waitFor();
}

/** popup returns the window that act opens. */
async function popup(page, act) {
  const [opened] = await Promise.all([page.waitForEvent('popup'), act()]);
  return opened;
}

const order = (page) => page.getByRole('button', { name: 'Order', exact: true }).click();

play('a sign-in by redirect comes back to the same place', async (s) => {
  const page = await open(s, await s.newBrowser(), '/devices?from=mail#top');
  await page.getByText('You are not signed in.').waitFor();
  await signIn(page);
  assert.equal(page.url(), `${s.url}/devices?from=mail#top`);
  await page.getByText('Alice Example').waitFor();
  await page.getByText('This device').waitFor();
  await page.goto(`${s.url}/`);
  const script = await page.evaluate(() => document.querySelector('script[src]').src);
  const answer = await page.evaluate(async (src) => {
    const res = await fetch(src, { cache: 'reload' });
    return { kept: res.headers.get('cache-control'), varies: res.headers.get('vary') };
  }, script);
  assert.equal(answer.kept, 'public, max-age=31536000, immutable');
  assert.match(answer.varies, /Accept-Encoding/i);
  assert.deepEqual(s.complaints, []);
});

// peers: "popup re-login that keeps form state", "cross-tab logout signal".
play('what was typed survives the end of the session', async (s) => {
  const context = await s.newBrowser();
  const page = await open(s, context);
  await signIn(page);
  await page.getByLabel('Note for the tailor').fill('Long sleeves, please.');
  const other = await open(s, context);
  await other.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByText('You signed out in another tab.').waitFor();
  await other.getByRole('button', { name: 'Log out everywhere' }).click();
  await other.getByRole('heading', { name: 'You are signed out' }).waitFor();
  const window = await popup(page, () => order(page));
  await logIn(window);
  await page.getByText('Ordered.').waitFor();
  await until('the window closes itself', () => window.isClosed());
  assert.equal(await page.getByLabel('Note for the tailor').inputValue(), 'Long sleeves, please.');
  assert.equal(s.api.seen.filter((call) => call.path === '/orders').length, 1);
  await page.getByText('Alice Example').waitFor();
  assert.deepEqual(s.complaints, []);
});

// Nobody can see that a window was closed: the app offers ways out.
play('a window that was closed can be opened again, and a call given up', async (s) => {
  const context = await s.newBrowser();
  const page = await open(s, context);
  await page.getByLabel('Note for the tailor').fill('Short.');
  await (await popup(page, () => order(page))).close();
  const again = await popup(page, () => page.getByRole('button', { name: 'Open it again' }).click());
  await again.close();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Cancelled.').waitFor();
  await logIn(await popup(page, () => order(page)));
  await page.getByText('Ordered.').waitFor();
  assert.equal(await page.getByLabel('Note for the tailor').inputValue(), 'Short.');
});

// C11: the stronger sign-in, without leaving the page.
play('a payment asks for a stronger sign-in and is made after it', async (s) => {
  const page = await open(s, await s.newBrowser());
  await signIn(page);
  await page.getByRole('link', { name: 'Payment' }).click();
  const window = await popup(page, () => page.getByRole('button', { name: 'Pay' }).click());
  await window.getByText(`Level: ${mfa}`).waitFor();
  await window.getByLabel('User').fill('alice');
  await window.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Paid.').waitFor();
  await until('the window closes itself', () => window.isClosed());
  await page.getByRole('button', { name: 'Pay' }).click();
  await page.getByText('Paid.').waitFor();
});

// One sign-in at a time, whoever needs it, in all tabs.
/** submit orders without a click: what an app does by itself must open no second window. */
function submit(page) {
  return page.evaluate(() => {
    // To the browser everything that a test does is a user's gesture.
    Object.defineProperty(navigator.userActivation, 'isActive', { get: () => false });
    document.querySelector('form').requestSubmit();
  });
}

play('two tabs that need a sign-in open one window', async (s) => {
  const context = await s.newBrowser();
  const [first, second] = [await open(s, context), await open(s, context)];
  await signIn(first);
  await second.getByText('Alice Example').waitFor(); // heard, without a reload
  await context.clearCookies(); // the provider's too: it asks
  const opened = [];
  context.on('page', (page) => opened.push(page));
  const window = await popup(first, () => order(first));
  await window.getByLabel('User').waitFor();
  await submit(second);
  await second.getByText('Sign in in the window that has opened.').waitFor();
  await logIn(window);
  for (const page of [first, second]) await page.getByText('Ordered.').waitFor();
  assert.equal(opened.length, 1);
});

// One event stream for each browser; another tab takes it over.
play('tabs share one stream, and the last one hears too', async (s) => {
  const context = await s.newBrowser();
  const [first, second, third] = [await open(s, context), await open(s, context), await open(s, context)];
  await signIn(first, 'carol');
  for (const page of [second, third]) await page.getByText('Carol Example').waitFor();
  await until('one stream', async () => (await streams(s)) === 1);
  await first.close();
  await second.close();
  await until('one stream again', async () => (await streams(s)) === 1, 20_000);
  const elsewhere = await open(s, await s.newBrowser(), '/devices');
  await signIn(elsewhere, 'carol');
  await elsewhere.getByText('This device').waitFor();
  const window = await popup(elsewhere, () => elsewhere.getByRole('button', { name: 'Sign out everywhere else' }).click());
  await until('the window closes itself', () => window.isClosed());
  await third.getByText('You were signed out from another device.').waitFor();
  await elsewhere.getByText('Signed out there.').waitFor();
});

/** streams returns how many event streams Cloakroom has open. */
async function streams(s) {
  const text = await (await fetch(`http://127.0.0.1:${s.cloakroom.settings.adminPort}/metrics`)).text();
  return Number(/^cloakroom_event_streams (\d+)$/m.exec(text)[1]);
}

// peers: "warn before expiry"; E8: neither the stream nor the warning extends anything.
play('the app warns before the session idles out, and can keep it', async (s) => {
  const page = await open(s, await s.newBrowser());
  await signIn(page);
  await page.getByText('You will be signed out in').waitFor({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Stay signed in' }).click();
  await page.getByText('You will be signed out in').waitFor({ state: 'hidden' });
  await page.getByText('You will be signed out in').waitFor({ timeout: 30_000 });
  await page.getByText('You were signed out because nothing happened for a while.').waitFor();
});

keepsSecrets(play);
