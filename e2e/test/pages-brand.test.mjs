// The pages with a folder of the operator's: logos, colours, a language that runs from
// right to left.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { looks } from '../harness/looks.mjs';
import { stage } from '../harness/stage.mjs';

const brand = mkdtempSync(join(tmpdir(), 'cloakroom-pages-'));
const mark = (ink) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 44" width="150" height="44">
  <circle cx="22" cy="22" r="18" fill="#0f766e"/><path d="M14 30V18a8 8 0 0 1 16 0v12" fill="none" stroke="#fff" stroke-width="3"/>
  <text x="50" y="29" font-family="sans-serif" font-size="21" font-weight="700" fill="${ink}">Harbour</text></svg>`;
for (const [name, content] of Object.entries({
  'logo.svg': mark('#17202c'),
  'logo-dark.svg': mark('#fff'),
  'provider-staff.svg': '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#0f766e"/><circle cx="12" cy="12" r="5" fill="#fff"/></svg>',
  'style.css': ':root { --accent: #0f766e; --focus: #0f766e }\n@media (prefers-color-scheme: dark) { :root { --accent: #5eead4; --focus: #99f6e4; --on-accent: #04211e } }\n',
  'texts.ar.json': JSON.stringify({ 'choice.title': 'تسجيل الدخول', 'choice.text': 'اختر مكان حسابك.' }),
})) writeFileSync(join(brand, name), content);

after(() => rmSync(brand, { recursive: true, force: true }));

const provider = (name, displayName) => ({
  name, display_name: displayName, issuer: `https://localhost:1/${name}`, client_id: 'c', client_secret: `chooser-${name}`, token_timeout: '5s',
});
const play = stage({
  providers: [provider('staff', 'Harbour staff'), provider('partners', 'Partners')],
  pages: { dir: brand, name: 'Harbour' },
});

looks(play, 'brand', [
  { name: 'choice', path: '/bff/login', links: ['main', 'Harbour staff', 'Partners'] },
  { name: 'choice-arabic', path: '/bff/login?ui_locales=ar', links: ['main', 'Harbour staff', 'Partners'] },
  { name: 'error', path: '/bff/callback?state=0123456789abcdef&code=x', links: ['Sign in again', 'Go to the start page'] },
  { name: 'signed-out', path: '/bff/signed-out', links: ['Sign in again', 'Go to the start page'] },
], [{ colorScheme: 'light', width: 1280 }, { colorScheme: 'dark', width: 390 }]);
