// The provider's journal: every call to its token and revocation endpoints, and
// everything secret that it issued or was shown, in plain, for the canary search.

import { createHash } from 'node:crypto';

/** hash names a secret where the secret itself must not stand. */
export const hash = (secret) => createHash('sha256').update(secret).digest('hex').slice(0, 16);

export class Journal {
  calls = [];
  secrets = new Map(); // value -> kind

  /** record notes one call to the token or revocation endpoint. */
  record(call) {
    this.calls.push({ at: Date.now(), ...call });
  }

  /** secret notes a value that no browser, log or file may show. */
  secret(kind, value) {
    if (value) this.secrets.set(value, kind);
  }

  /** grants returns the calls to the token endpoint of one grant type. */
  grants(type) {
    return this.calls.filter((c) => c.endpoint === 'token' && c.grant === type);
  }

  get codes() { return this.grants('authorization_code'); }
  get refreshes() { return this.grants('refresh_token'); }
  get revocations() { return this.calls.filter((c) => c.endpoint === 'revocation'); }
}

/** middleware for the provider's koa application. It must be used before any other. */
export function journaling(journal) {
  return async (ctx, next) => {
    await next();
    const params = ctx.oidc?.params ?? {};
    switch (ctx.oidc?.route) {
      case 'token':
        token(journal, ctx, params);
        break;
      case 'revocation':
        journal.record({
          endpoint: 'revocation', auth: clientAuth(ctx), status: ctx.status,
          hint: params.token_type_hint, token: params.token && hash(params.token),
        });
        break;
      default:
        authorization(journal, ctx, params);
    }
  };
}

function token(journal, ctx, params) {
  journal.record({
    endpoint: 'token', grant: params.grant_type, auth: clientAuth(ctx), status: ctx.status,
    error: ctx.body?.error, refresh: params.refresh_token && hash(params.refresh_token),
    rotated: ctx.body?.refresh_token && hash(ctx.body.refresh_token), pkce: Boolean(params.code_verifier),
  });
  journal.secret('verifier', params.code_verifier);
  journal.secret('client assertion', params.client_assertion);
  journal.secret('access token', ctx.body?.access_token);
  journal.secret('refresh token', ctx.body?.refresh_token);
  journal.secret('ID token', ctx.body?.id_token);
}

function authorization(journal, ctx, params) {
  const location = ctx.response.get('location');
  if (location && URL.canParse(location)) journal.secret('code', new URL(location).searchParams.get('code'));
  journal.secret('state', params.state);
  journal.secret('nonce', params.nonce);
}

function clientAuth(ctx) {
  if (ctx.get('authorization').startsWith('Basic ')) return 'client_secret_basic';
  if (ctx.oidc.body?.client_assertion ?? ctx.oidc.params?.client_assertion) return 'private_key_jwt';
  return 'other';
}
