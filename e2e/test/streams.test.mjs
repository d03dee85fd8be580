// WebSockets and event streams: through the proxy, and not longer than the session.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { until, within } from '../harness/wait.mjs';

const play = stage();

/** openStreams opens one of each in the page and waits till both have spoken. */
async function openStreams(page) {
  await page.evaluate(() => {
    const seen = { ticks: 0, said: [], closed: {} };
    const events = new EventSource('/api/events');
    events.onmessage = () => { seen.ticks += 1; };
    events.onerror = () => { if (events.readyState === EventSource.CLOSED) seen.closed.events = true; };
    const socket = new WebSocket(`wss://${location.host}/api/ws`);
    socket.onmessage = (m) => seen.said.push(m.data);
    socket.onclose = (e) => { seen.closed.socket = e.code; };
    Object.assign(window, { seen, socket });
  });
  await page.waitForFunction(() => window.seen.ticks >= 3 && window.seen.said.length >= 1);
  await page.evaluate(() => window.socket.send('ping'));
  await page.waitForFunction(() => window.seen.said.length >= 2);
}

// E12, G10: both work, both end with the session, on either side of the proxy.
play('WebSocket and event stream work, and end within two seconds of a logout', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  await openStreams(page);
  assert.deepEqual(await page.evaluate(() => window.seen.said), ['hello alice', 'alice said ping']);
  assert.deepEqual([s.api.sockets.size, s.api.streams.size], [1, 1]);

  assert.equal((await call(page, '/bff/logout', { method: 'POST' })).status, 200);
  await within(2000, 'the API sees both end', until('ends', () => s.api.sockets.size + s.api.streams.size === 0));
  await page.waitForFunction(() => window.seen.closed.socket, undefined, { timeout: 2000 });
  assert.equal(await page.evaluate(() => window.seen.closed.socket), 1008);
  // The event source tries again once, is refused, and gives up.
  await page.waitForFunction(() => window.seen.closed.events);
  assert.equal(s.api.streams.size, 0);
});

// F6: the one request that browsers send with cookies from everywhere and without
// asking. From the same site the Strict cookie comes along: only Origin tells.
play('a WebSocket from another origin is refused', async (s) => {
  const page = await s.newPage();
  await signIn(page, s.url);
  const handshakes = s.api.handshakes;
  for (const origin of [s.attacker.crossSite, s.attacker.sameSite]) {
    await page.goto(origin);
    const got = await page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    }), `${s.url.replace('https', 'wss')}/api/ws`);
    assert.equal(got, 'refused', origin);
  }
  assert.equal(s.api.handshakes, handshakes, 'the API saw a handshake');
  const refusals = s.cloakroom.records((r) => r.path === '/api/ws' && r.status === 403);
  assert.equal(refusals.length, 2);
});

keepsSecrets(play);
