// A development server as spa.upstream: what a developer does all day, through
// Cloakroom, over https, with the WebSocket that Vite reloads modules by.

import assert from 'node:assert/strict';

import { signIn } from '../harness/browser.mjs';
import { keepsSecrets } from '../harness/leaks.mjs';
import { stage } from '../harness/stage.mjs';
import { ViteProject } from '../harness/vite.mjs';

let project;
const play = stage({
  spa: async (s) => {
    project = new ViteProject();
    s.closers.push(() => project.close());
    await project.serve();
    return { upstream: project.url };
  },
});

/** sockets collects the addresses of the WebSockets that page opens. */
function sockets(page) {
  const opened = [];
  page.on('websocket', (ws) => opened.push(ws.url()));
  return opened;
}

play('an edited file changes the page without a reload, and its state survives', async (s) => {
  const page = await s.newPage();
  const opened = sockets(page);
  await signIn(page, s.url);
  await page.getByRole('heading', { name: 'Version one' }).waitFor();
  const color = await page.locator('main').evaluate((main) => getComputedStyle(main).color);
  assert.equal(color, 'rgb(1, 2, 3)');
  await page.getByRole('button', { name: 'Count 0' }).click();
  await page.getByRole('button', { name: 'Count 1' }).click();
  await page.evaluate(() => { window.here = 'before'; });
  project.edit('src/App.tsx', 'Version one', 'Version two');
  await page.getByRole('heading', { name: 'Version two' }).waitFor();
  await page.getByRole('button', { name: 'Count 2' }).waitFor();
  assert.equal(await page.evaluate(() => window.here), 'before');
  // All of it through Cloakroom: the WebSocket too.
  assert.ok(opened.length > 0);
  assert.ok(opened.every((url) => url.startsWith(s.url.replace('https:', 'wss:'))), opened.join());
});

play('a path of the app itself, a late module and the document headers work', async (s) => {
  const page = await s.newPage();
  const answer = await page.goto(`${s.url}/orders/17`);
  const headers = await answer.allHeaders();
  assert.equal(headers['content-security-policy'], "frame-ancestors 'none'; object-src 'none'; base-uri 'self'");
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['x-frame-options'], 'DENY');
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('There is more').waitFor();
});

play('another site gets no WebSocket to it, and no script of it', async (s) => {
  const page = await s.newPage();
  await page.goto(s.attacker.crossSite);
  const [socket, script] = await page.evaluate(async (app) => {
    const ws = new WebSocket(app.replace('https:', 'wss:'), 'vite-hmr');
    const opened = await new Promise((resolve) => { ws.onopen = () => resolve(true); ws.onerror = () => resolve(false); });
    const tag = document.createElement('script');
    tag.src = `${app}/src/App.tsx`;
    const ran = new Promise((resolve) => { tag.onload = () => resolve(true); tag.onerror = () => resolve(false); });
    document.head.append(tag);
    return [opened, await ran];
  }, s.url);
  assert.deepEqual([socket, script], [false, false]);
});

play('a server that is not running is said to be that', async (s) => {
  await project.stop();
  const page = await s.newPage();
  const answer = await page.goto(s.url);
  assert.equal(answer.status(), 502);
  await page.getByText('spa.upstream').waitFor();
  await page.getByText('upstream_unreachable').waitFor();
  await project.serve();
  await page.reload();
  await page.getByRole('heading', { name: 'Version two' }).waitFor();
});

keepsSecrets(play);
