// The API behind Cloakroom. It takes only access tokens that the provider holds
// good at this moment, keeps what it saw to itself, and never answers with it.

import { createPublicKey, verify } from 'node:crypto';

import { WebSocketServer } from 'ws';

import { leak } from './leaky.mjs';
import { apiResource } from './provider.mjs';
import { serve } from './server.mjs';

/** startAPI starts it. provider may be set later: tokens are checked with it. */
export async function startAPI() {
  const api = { seen: [], tokens: new Set(), sockets: new Set(), streams: new Set(), handshakes: 0, provider: undefined };
  const { server, port, close } = await serve((req, res) => {
    answer(api, req, res).catch((err) => { res.destroy(err); });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', async (req, socket, head) => {
    api.handshakes += 1;
    const who = await authenticate(api, req);
    if (!who) return socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    sockets.handleUpgrade(req, socket, head, (ws) => {
      api.sockets.add(ws);
      ws.on('close', () => api.sockets.delete(ws));
      ws.on('message', (data) => ws.send(`${data}` === 'leak' ? bearer(req) : `${who} said ${data}`));
      ws.send(`hello ${who}`);
    });
  });
  api.url = `http://127.0.0.1:${port}`;
  api.close = close;
  return api;
}

async function answer(api, req, res) {
  const path = new URL(req.url, 'http://api').pathname;
  const who = await authenticate(api, req);
  api.seen.push({ path, who, headers: req.headers });
  if (!who) {
    res.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
    return res.end();
  }
  if (api.challenge) {
    res.writeHead(401, { 'www-authenticate': api.challenge });
    return res.end();
  }
  if (path.startsWith('/leaky/')) return leak(path, bearer(req), res);
  if (path === '/events') return stream(api, req, res);
  if (path.startsWith('/reports') || path.startsWith('/vault')) {
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    return res.end(`<!doctype html><title>Report</title><h1>Report for ${who}</h1><p id="path">${path}</p>`);
  }
  const { authorization, ...headers } = req.headers;
  res.writeHead(200, { 'content-type': 'application/json' });
  return res.end(JSON.stringify({ path, who, method: req.method, bearer: Boolean(authorization), headers }));
}

function stream(api, req, res) {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  api.streams.add(res);
  let n = 0;
  const tick = () => res.write(`data: tick ${n += 1}\n\n`);
  tick();
  const timer = setInterval(tick, 200);
  res.on('close', () => {
    clearInterval(timer);
    api.streams.delete(res);
  });
}

const bearer = (req) => /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];

/** authenticate returns the token's subject, or undefined. */
async function authenticate(api, req) {
  const token = bearer(req);
  if (!token) return undefined;
  api.tokens.add(token);
  if (token.split('.').length === 3) return jwtSubject(api.provider, token);
  return (await api.provider.findToken(token))?.accountId;
}

async function jwtSubject(provider, token) {
  const [header, payload, signature] = token.split('.');
  const { kid, alg, typ } = JSON.parse(Buffer.from(header, 'base64url'));
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const good = kid === provider.key.kid && alg === 'RS256' && typ === 'at+jwt' && claims.iss === provider.issuer
    && claims.aud === apiResource && claims.exp * 1000 > Date.now()
    && verify('sha256', Buffer.from(`${header}.${payload}`), createPublicKey({ key: provider.key, format: 'jwk' }),
      Buffer.from(signature, 'base64url'));
  return good ? claims.sub : undefined;
}
