// How Cloakroom's own pages look and feel: on phone and desktop, light and dark, with a
// keyboard, in forced colours, and to a screen reader as far as axe can tell.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import AxeBuilder from '@axe-core/playwright';

import { e2e } from './build.mjs';

export const views = ['light', 'dark'].flatMap((colorScheme) => [390, 1280].map((width) => ({ colorScheme, width })));

/** open shows a page and returns what its console says. */
export async function open(s, { path, hop }, { colorScheme, width, forcedColors }) {
  const context = await s.browser.newContext({ colorScheme, forcedColors, viewport: { width, height: width < 600 ? 760 : 800 } });
  context.setDefaultTimeout(15_000);
  s.contexts.push(context);
  const page = await context.newPage();
  const said = [];
  // An error's status is told there too, as of any page; and that a window which no
  // script opened does not close.
  page.on('console', (m) => { if (!/status of [45]\d\d|^Scripts may close only/.test(m.text())) said.push(m.text()); });
  page.on('pageerror', (err) => said.push(String(err)));
  if (hop) await stayOnHop(s, page, path);
  else await page.goto(s.url + path);
  return { page, said };
}

/** stayOnHop follows a link on another site to a page that only a session opens, and keeps the browser on the way. */
async function stayOnHop(s, page, path) {
  let asked = 0;
  await page.route(s.url + path, (route) => (asked++ === 0 ? route.continue() : route.abort('aborted')));
  await page.goto(s.attacker.crossSite);
  await page.getByRole('link', { name: 'Your report' }).click();
  await page.waitForURL(s.url + path, { waitUntil: 'commit' });
  await page.getByRole('heading').waitFor();
  await page.waitForFunction(() => document.getAnimations().every((a) => a.playState === 'finished'));
}

/** shoot keeps a picture of the page. On a busy machine Chromium has none to give at times. */
async function shoot(page, name) {
  const dir = join(e2e, 'results', 'pages');
  mkdirSync(dir, { recursive: true });
  for (let tries = 3; ; tries -= 1) {
    try {
      return await page.screenshot({ path: join(dir, `${name}.png`) });
    } catch (err) {
      if (tries === 0) throw err;
    }
  }
}

/** overflow is how many pixels of the page are beyond its right edge. */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** walk tabs through the page and returns what gets the focus; each must be seen to have it. */
async function walk(page, most) {
  const names = [];
  for (let i = 0; i <= most; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const el = document.activeElement;
      if (el === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(el);
      return { name: el.textContent.trim(), seen: outlineStyle === 'solid' && parseFloat(outlineWidth) >= 3 };
    });
    if (!at) break;
    assert.ok(at.seen, `the focus on ${at.name} is not to be seen`);
    names.push(at.name);
  }
  return names;
}

/**
 * looks registers the tests of pages: name, path, and links, which is what a keyboard
 * reaches in its order. Pictures go to results/pages/, their names begin with set. some
 * are the views to try.
 */
export function looks(play, set, pages, some = views) {
  for (const page of pages) fit(play, set, page, some);
}

function fit(play, set, tried, some) {
  for (const view of some) {
    const name = `${set}-${tried.name}-${view.width}-${view.colorScheme}`;
    play(`the page ${name} is fit for everybody`, async (s) => {
      const { page, said } = await open(s, tried, view);
      await shoot(page, name);
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), []);
      assert.equal(await overflow(page), 0, 'the page scrolls sideways');
      assert.deepEqual(await walk(page, tried.links.length), tried.links);
      assert.deepEqual(said, []);
    });
  }

  // WCAG 1.4.10: 320 CSS pixels are also what 1280 are at 400 %.
  play(`the page ${set}-${tried.name} fits 320 pixels, and keeps to forced colours`, async (s) => {
    const { page } = await open(s, tried, { colorScheme: 'light', width: 320 });
    await shoot(page, `${set}-${tried.name}-320`);
    assert.equal(await overflow(page), 0);
    const forced = await open(s, tried, { colorScheme: 'dark', width: 640, forcedColors: 'active' });
    await shoot(forced.page, `${set}-${tried.name}-forced`);
    const { violations } = await new AxeBuilder({ page: forced.page }).analyze();
    assert.deepEqual(violations.map((v) => v.id), []);
  });
}
