// The OpenID Provider: the certified oidc-provider, on 127.0.0.1 and so on
// another site than the app on localhost. It has pages that people click, rotates
// its refresh tokens always, and revokes the whole grant when one comes twice.

import { generateKeyPairSync } from 'node:crypto';
import https from 'node:https';

import Provider from 'oidc-provider';

import { Journal, journaling } from './journal.mjs';
import { framesPage, interactions, logoutPage, loggedOutPage, errorPage } from './pages.mjs';
import { mfa, policy } from './policy.mjs';
import { serve } from './server.mjs';
import { gate } from './wait.mjs';

export const apiResource = 'urn:example:api';

/**
 * startProvider starts a provider for one client. accessTTL is the life of an access
 * token in seconds, auth how the client proves who it is, jwt whether access tokens
 * are JWTs, backchannel whether it tells of logouts. app is Cloakroom's origin, appCert the certificate it shows.
 * name is the provider's in Cloakroom's configuration, and host the site that it is on.
 */
export async function startProvider({ app, appCert, cert, host = '127.0.0.1', port, name = 'main', auth, accessTTL, jwt, backchannel, clientSecret }) {
  const issuer = `https://${host}:${port}`;
  const journal = new Journal();
  const tokenGate = gate();
  const jwks = { keys: [signingKey()] };
  const provider = new Provider(issuer, {
    ...settings({ accessTTL, jwt }),
    jwks,
    clients: [client({ app, name, auth, backchannel, clientSecret })],
    // Its own fetch refuses loopback addresses.
    fetch: (url, options) => fetchFrom(url, appCert, options),
  });
  provider.use(journaling(journal));
  provider.use(async (ctx, next) => {
    if (ctx.path === '/token') await tokenGate.passed();
    await next();
    stopCallback(started, ctx);
  });
  const pages = interactions(provider);
  const callback = provider.callback();
  const server = await serve((req, res) => {
    if (req.url.startsWith('/interaction/')) return pages(req, res);
    if (req.url.startsWith('/frames?')) return framesPage(req, res);
    return callback(req, res);
  }, { host, port, tls: cert });
  const faults = [];
  provider.on('server_error', (_ctx, err) => faults.push(err));
  // What Cloakroom answered to logout tokens.
  const logouts = [];
  provider.on('backchannel.success', (_ctx, _client, sub, sid) => logouts.push({ ok: true, sub, sid }));
  provider.on('backchannel.error', (_ctx, err, _client, sub, sid) => logouts.push({ ok: false, sub, sid, err: `${err}` }));
  const started = {
    issuer, journal, tokenGate, faults, logouts, key: jwks.keys[0],
    down: server.down, up: server.up, close: server.close,
    findToken: (token) => provider.AccessToken.find(token),
    // Set to a function, it gets the callback's URL, and the browser gets a page instead.
    onCallback: undefined,
  };
  return started;
}

// Playwright can't stop a redirect's target: the provider keeps it back itself.
function stopCallback(started, ctx) {
  const location = ctx.response.get('location');
  if (!started.onCallback || !location.includes('/bff/callback?')) return;
  started.onCallback(location);
  ctx.response.remove('location');
  ctx.status = 200;
  ctx.body = 'kept back';
}

function settings({ accessTTL, jwt }) {
  return {
    pkce: { required: () => true },
    clockTolerance: 0, // by default an access token is good 15 s longer than it says
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, c) => c.grantTypeAllowed('refresh_token'),
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    ttl: {
      AccessToken: accessTTL, AuthorizationCode: 60, IdToken: 300, RefreshToken: 3600,
      Interaction: 600, Session: 3600, Grant: 3600,
    },
    cookies: { keys: ['only for tests'] },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({
        sub, name: `${sub[0].toUpperCase()}${sub.slice(1)} Example`, preferred_username: sub,
        email: `${sub}@example.com`, email_verified: true,
      }),
    }),
    acrValues: [mfa],
    interactions: { policy: policy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: async (_ctx, c, token) => token.clientId === c.clientId },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: logoutPage, postLogoutSuccessSource: loggedOutPage },
      resourceIndicators: {
        enabled: Boolean(jwt),
        defaultResource: async () => apiResource,
        useGrantedResource: async () => true,
        getResourceServerInfo: async () => ({
          scope: 'openid', audience: apiResource, accessTokenTTL: accessTTL, accessTokenFormat: 'jwt',
        }),
      },
    },
  };
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'provider', use: 'sig', alg: 'RS256' };
}

function client({ app, name, auth, backchannel, clientSecret }) {
  return {
    client_id: 'cloakroom', client_name: 'Cloakroom',
    redirect_uris: [`${app}/bff/callback${name === 'main' ? '' : `/${name}`}`],
    post_logout_redirect_uris: [`${app}/bff/logout/callback`],
    ...(backchannel && {
      backchannel_logout_uri: `${app}/bff/backchannel-logout/${name}`, backchannel_logout_session_required: true,
    }),
    response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: auth,
    ...(auth === 'private_key_jwt'
      ? { jwks_uri: `${app}/bff/jwks/${name}`, token_endpoint_auth_signing_alg: 'ES256' }
      : { client_secret: clientSecret }),
  };
}

function fetchFrom(url, ca, { method = 'GET', headers, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { ca, method, headers: Object.fromEntries(new Headers(headers)) }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: res.statusCode, headers: res.headers })));
      res.on('error', reject);
    });
    request.on('error', reject);
    request.end(body && `${body}`);
  });
}
