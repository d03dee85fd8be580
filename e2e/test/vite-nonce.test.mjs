// An app whose page has an inline script, allowed by a nonce that is new with each
// answer (M1).

import assert from 'node:assert/strict';

import { signIn } from '../harness/browser.mjs';
import { stage } from '../harness/stage.mjs';
import { ViteProject } from '../harness/vite.mjs';

const play = stage({
  spa: (s) => {
    const project = new ViteProject();
    s.closers.push(() => project.close());
    return {
      dir: project.build({ CSP_NONCE: '1' }),
      csp: "default-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    };
  },
});

play('a nonced page runs its own scripts and nobody else\'s', async (s) => {
  const page = await s.newPage();
  const refused = [];
  page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) refused.push(message.text()); });
  await signIn(page, s.url);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.inline), 'ran');
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('There is more').waitFor();
  assert.equal(await page.locator('main').evaluate((main) => getComputedStyle(main).color), 'rgb(1, 2, 3)');
  assert.deepEqual(refused, []);
  const nonces = new Set();
  for (let i = 0; i < 2; i += 1) {
    const answer = await page.goto(s.url);
    const headers = await answer.allHeaders();
    const [, nonce] = /script-src 'nonce-([^']{22})'/.exec(headers['content-security-policy']);
    assert.ok((await answer.text()).includes(`nonce="${nonce}"`));
    assert.equal(headers['content-encoding'], undefined);
    assert.equal(headers['cache-control'], 'no-store');
    nonces.add(nonce);
  }
  assert.equal(nonces.size, 2);
});
