// Somebody else's pages, in the browser of a user who is signed in.

import assert from 'node:assert/strict';

import { call, signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';

const play = stage();

/** unharmed runs attack and checks that it reached neither the API nor the session nor the provider. */
async function unharmed(s, page, attack) {
  const victim = await page.context().newPage();
  await signIn(victim, s.url);
  const before = { calls: s.api.seen.length, states: states(s), cookies: await cookies(page) };
  await attack();
  assert.equal(s.api.seen.length, before.calls, 'the API was called');
  assert.equal(states(s), before.states, 'a sign-in was begun at the provider');
  assert.deepEqual(await cookies(page), before.cookies, 'a cookie was set or removed');
  assert.equal((await call(victim, '/bff/user')).body.sub, 'alice');
  assert.equal((await call(victim, '/api/orders')).status, 200);
}

const states = (s) => [...s.journal.secrets.values()].filter((kind) => kind === 'state').length;
const cookies = async (page) => (await page.context().cookies()).filter((c) => c.name.startsWith('__Host-'))
  .map((c) => [c.name, c.value]);

for (const site of ['crossSite', 'sameSite']) {
  // F1, F3, I4: forms need no permission, and from the same site Strict cookies come along.
  play(`forms of another origin are refused (${site})`, async (s) => {
    const page = await s.newPage();
    await unharmed(s, page, async () => {
      for (const form of ['logout', 'order']) {
        await page.goto(s.attacker[site]);
        const [answer] = await Promise.all([
          page.waitForResponse((r) => r.url().startsWith(s.url)),
          page.locator(`#${form} button`).click(),
        ]);
        assert.equal(answer.status(), 403, form);
      }
    });
  });

  // F3, F4: what scripts can send with cookies, whether or not they may read the answer.
  play(`scripts of another origin reach and read nothing (${site})`, async (s) => {
    const page = await s.newPage();
    await unharmed(s, page, async () => {
      await page.goto(s.attacker[site]);
      const got = await page.evaluate(async (app) => {
        const tries = [
          ['/api/orders', {}], ['/api/orders', { mode: 'no-cors' }], ['/api/orders', { method: 'POST', mode: 'no-cors', body: 'x' }],
          ['/api/orders', { headers: { 'X-CSRF': '1' } }], ['/bff/user', {}], ['/bff/user', { mode: 'no-cors' }],
          ['/bff/logout', { method: 'POST', mode: 'no-cors', body: '' }], ['/bff/logout', { method: 'POST', headers: { 'X-CSRF': '1' } }],
          ['/bff/session/renew', { method: 'POST', mode: 'no-cors' }], ['/bff/login', { mode: 'no-cors' }],
        ];
        const results = [];
        for (const [path, init] of tries) {
          results.push(await fetch(app + path, { credentials: 'include', ...init }).then((r) => r.type, () => 'error'));
        }
        return results;
      }, s.url);
      assert.deepEqual(got.filter((type) => type !== 'opaque' && type !== 'error'), []);
    });
  });

  // A9, M2: a sign-in begins by a navigation only, and no page of ours shows in a frame.
  play(`images and frames of another origin start and show nothing (${site})`, async (s) => {
    const page = await s.newPage();
    await unharmed(s, page, async () => {
      await page.goto(s.attacker[site]);
      const frames = await page.evaluate(async (app) => {
        const load = (tag, src) => new Promise((resolve) => {
          const node = document.createElement(tag);
          node.onload = () => resolve('load');
          node.onerror = () => resolve('error');
          node.src = src;
          document.body.append(node);
        });
        const image = await load('img', `${app}/bff/login?return_to=/`);
        await Promise.all([load('iframe', `${app}/bff/login?return_to=/`), load('iframe', `${app}/`)]);
        return { image };
      }, s.url);
      assert.equal(frames.image, 'error');
      for (const frame of page.frames().slice(1)) {
        assert.equal(await frame.locator('#status').count(), 0, `shown in a frame: ${frame.url()}`);
        assert.doesNotMatch(frame.url(), new RegExp(s.provider.issuer));
      }
    });
  });
}

keepsSecrets(play);
