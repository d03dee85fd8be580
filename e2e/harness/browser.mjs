// Debian's Chromium. Everything that it receives goes into a net log, which the
// canary search reads.

import { chromium } from 'playwright-core';

const quiet = [
  '--no-sandbox', // Chromium runs as root here and opens only pages of these tests
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--short-reporting-delay', // of reports about policies: a minute otherwise
  '--disable-background-networking', '--disable-component-update',
  // Whatever else it wants to reach is not found.
  '--host-resolver-rules=MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2',
];

/** launch starts it. spkis are the certificates that it trusts. */
export function launch({ spkis, netLog }) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...quiet, `--ignore-certificate-errors-spki-list=${spkis.join(',')}`,
      `--log-net-log=${netLog}`, '--net-log-capture-mode=Everything'],
  });
}

/**
 * signIn opens path at the app, follows its sign-in link and clicks through the
 * provider's pages. It returns when the app shows who is signed in.
 */
export async function signIn(page, app, { path = '/', user = 'alice' } = {}) {
  await page.goto(app + path);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await logIn(page, user);
  await page.waitForURL(app + path);
  await page.getByText(`Signed in as ${user}`).waitFor();
}

/** logIn clicks through the provider's login and consent. */
export async function logIn(page, user = 'alice') {
  await page.getByLabel('User').fill(user);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

/** call fetches path from the page and returns what the page can see of the answer. */
export function call(page, path, init = {}) {
  return page.evaluate(async ([at, options]) => {
    const res = await fetch(at, options);
    const text = await res.text();
    let body = text;
    try { body = JSON.parse(text); } catch { /* not JSON */ }
    return { status: res.status, headers: Object.fromEntries(res.headers), body };
  }, [path, init]);
}

/** protocols returns the protocols over which the page and its resources came. */
export function protocols(page) {
  return page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map((e) => e.nextHopProtocol));
}

/** watch counts the document requests of page for each path of the app. */
export function watch(s, page) {
  const counts = {};
  page.on('request', (r) => {
    const url = new URL(r.url());
    if (url.origin === s.url && r.isNavigationRequest()) counts[url.pathname] = (counts[url.pathname] ?? 0) + 1;
  });
  return counts;
}
