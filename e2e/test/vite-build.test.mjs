// A built app as spa.dir: under the policy that is there by default, encoded where
// the build has done that, and kept by the browser for as long as its names say.

import assert from 'node:assert/strict';

import { signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { ViteProject } from '../harness/vite.mjs';
import { until } from '../harness/wait.mjs';

const play = stage({
  spa: (s) => {
    const project = new ViteProject();
    s.closers.push(() => project.close());
    return { dir: project.build(), immutable: ['/assets/'], csp_report: true };
  },
});

/** observe collects what page gets from the app, and what its console says. */
function observe(s, page) {
  const seen = { answers: [], console: [] };
  page.on('response', (answer) => { if (answer.url().startsWith(s.url)) seen.answers.push(answer); });
  page.on('console', (message) => { if (/Content Security Policy|violat/i.test(message.text())) seen.console.push(message.text()); });
  return seen;
}

play('a built app runs under the default policy, from brotli files that are kept', async (s) => {
  const page = await s.newPage();
  const seen = observe(s, page);
  await signIn(page, s.url);
  await page.getByRole('button', { name: 'Count 0' }).click();
  await page.getByRole('button', { name: 'Count 1' }).waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('There is more').waitFor();
  assert.deepEqual(seen.console, []);
  const assets = seen.answers.filter((a) => new URL(a.url()).pathname.startsWith('/assets/'));
  assert.ok(assets.length >= 3, `${assets.length} assets`);
  for (const answer of assets) {
    const headers = await answer.allHeaders();
    if (answer.fromServiceWorker()) continue;
    assert.equal(headers['content-encoding'], 'br', answer.url());
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable', answer.url());
    assert.equal(headers.vary, 'Accept-Encoding', answer.url());
  }
  const documents = seen.answers.filter((a) => new URL(a.url()).pathname === '/');
  for (const answer of documents) {
    const headers = await answer.allHeaders();
    assert.equal(headers['content-encoding'], 'br');
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(headers['content-security-policy'], /^default-src 'self';/);
  }
});

play('what is kept is not asked for again', async (s) => {
  const page = await s.newPage();
  await page.goto(s.url);
  await page.getByRole('heading', { name: 'Version one' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Version one' }).waitFor();
  const sizes = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter((e) => e.name.includes('/assets/')).map((e) => e.transferSize));
  assert.ok(sizes.length >= 2 && sizes.every((n) => n === 0), `transferred: ${sizes}`);
});

// M6: and the browser reports it.
play('an inline script does not run under the default policy', async (s) => {
  const page = await s.newPage();
  const seen = observe(s, page);
  await page.goto(s.url);
  await page.getByRole('heading', { name: 'Version one' }).waitFor();
  const ran = await page.evaluate(() => {
    const tag = document.createElement('script');
    tag.textContent = 'window.ran = true';
    document.head.append(tag);
    return window.ran === true;
  });
  assert.equal(ran, false);
  assert.equal(seen.console.length, 1);
  const [line] = await until('the report is in the log', () => {
    const lines = s.cloakroom.records((r) => r.directive === 'script-src-elem');
    return lines.length > 0 && lines;
  });
  assert.equal(line.blocked, 'inline');
  assert.equal(line.document, '/');
});

keepsSecrets(play);
