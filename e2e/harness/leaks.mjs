// What a stage leaves behind, put before the canary search.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { forBrowser, forLog, forStore, search } from './canary.mjs';
import { readNetLog } from './netlog.mjs';

// Not Cloakroom's own writings: what it was given, and the browser's log.
const given = new Set(['config.yaml', 'keys', 'client.pem', 'net-log.json']);

/**
 * searchStage ends the browser and returns what the search finds in all that it
 * received and kept, in Cloakroom's log and in its files; and, as size, how many
 * places and secrets there were.
 */
export async function searchStage(s) {
  await s.endContexts();
  await s.browser.close();
  const { responses, connections } = await readNetLog(s.netLog, s.url);
  const secrets = [...s.journal.secrets, ...(s.partner?.journal.secrets ?? []), [s.clientSecret, 'client secret'], ...cookies(responses)];
  const places = [
    ...responses.map(answer),
    ...connections.map((content, i) => ({ name: `connection ${i}`, content, kinds: forBrowser, idTokenHint: true })),
    ...s.storage.map((content) => ({ name: 'cookies and storage', content, kinds: forBrowser })),
    { name: 'log', content: s.cloakroom.output, kinds: forLog },
    ...readdirSync(s.dir, { withFileTypes: true, recursive: true })
      .filter((file) => file.isFile() && !given.has(file.name))
      .map((file) => ({ name: file.name, content: readFileSync(join(file.parentPath, file.name)), kinds: forStore })),
  ];
  return { found: search(secrets, places), responses, connections, places, secrets };
}

// design.md, 4: the ID token may stand in the end-session redirect, and nowhere else.
function answer({ method, url, headers, body }) {
  const { pathname } = new URL(url);
  return {
    name: `${method} ${pathname}`, kinds: forBrowser,
    content: Buffer.concat([Buffer.from(`${headers.join('\n')}\n\n`), body]),
    idTokenHint: method === 'POST' && pathname === '/bff/logout',
  };
}

function cookies(responses) {
  return responses.flatMap((r) => r.headers)
    .map((line) => /^set-cookie: __Host-[^=]+=([^;]{20,})/i.exec(line)?.[1])
    .filter(Boolean).map((value) => [value, 'cookie']);
}

/**
 * keepsSecrets is the last test of a stage: all that the tests before it did has
 * left no secret anywhere (C1, J1, N1).
 */
export function keepsSecrets(play) {
  play('nothing that left Cloakroom, its log or its store holds a secret', async (s) => {
    const { found, responses, places, secrets } = await searchStage(s);
    // A search that saw nothing would find nothing.
    assert.ok(responses.length >= 5, `${responses.length} responses in the net log`);
    assert.ok(responses.some((r) => r.body.length > 0), 'no body in the net log');
    assert.ok(places.some((p) => p.name === 'sessions.db'), 'no session file');
    const kinds = new Set(secrets.map(([, kind]) => kind));
    for (const kind of ['access token', 'refresh token', 'ID token', 'code', 'verifier', 'cookie']) {
      assert.ok(kinds.has(kind), `the provider's journal has no ${kind}`);
    }
    assert.deepEqual(found, []);
  });
}
