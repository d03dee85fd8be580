// The provider's pages. Each waits for a click: a provider that redirects at once
// would hide that the browser holds Strict cookies back after another site's page.

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>${escape(title)}</title></head><body><main><h1>${escape(title)}</h1>${body}</main></body></html>`;

/** interactions answers /interaction/<uid>: log in, then consent. */
export function interactions(provider) {
  return async (req, res) => {
    try {
      const details = await provider.interactionDetails(req, res);
      if (req.method === 'POST') await submit(provider, details, req, res);
      else show(details, res);
    } catch (err) {
      send(res, err.status ?? 500, page('This sign-in is over', `<p>${escape(err.message)}</p>`));
    }
  };
}

function show({ uid, prompt, params }, res) {
  if (prompt.name === 'login') {
    const level = params.acr_values ? `<p>Level: ${escape(params.acr_values)}</p>` : '';
    send(res, 200, page('Log in', `${level}<form method="post" action="/interaction/${uid}">
      <label>User <input name="user" autocomplete="off" value="${escape(params.login_hint ?? '')}"></label>
      <button name="step" value="login">Log in</button>
      <button name="step" value="cancel">Cancel</button></form>`));
    return;
  }
  send(res, 200, page('Allow access', `<form method="post" action="/interaction/${uid}">
    <button name="step" value="consent">Allow</button>
    <button name="step" value="cancel">Cancel</button></form>`));
}

async function submit(provider, details, req, res) {
  const form = new URLSearchParams(await body(req));
  let result = { error: 'access_denied', error_description: 'the user cancelled' };
  const acr = details.params.acr_values?.split(' ')[0];
  if (form.get('step') === 'login') result = { login: { accountId: form.get('user') || 'alice', ...(acr && { acr }) } };
  if (form.get('step') === 'consent') result = { consent: { grantId: await grant(provider, details) } };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: form.get('step') !== 'login' });
}

async function grant(provider, { grantId, params, prompt, session }) {
  const found = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) found.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) found.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    found.addResourceScope(resource, scopes.join(' '));
  }
  return found.save();
}

/** logoutPage asks whether to end the provider's session. */
export function logoutPage(ctx, form) {
  ctx.body = page('Log out', `${form}
    <button type="submit" form="op.logoutForm" name="logout" value="yes">Log out everywhere</button>
    <button type="submit" form="op.logoutForm">Stay</button>`);
}

/** framesPage answers /frames?src=URL: a logout page that opens a client's in a frame. */
export function framesPage(req, res) {
  const src = new URL(req.url, 'https://provider').searchParams.get('src');
  send(res, 200, page('Logging out', `<iframe src="${escape(src)}" title="An application"></iframe>`));
}

/** loggedOutPage is where a logout that names no way back ends. */
export function loggedOutPage(ctx) {
  ctx.body = page('Logged out', '');
}

/** errorPage shows what the provider did not like. */
export function errorPage(ctx, out) {
  ctx.type = 'html';
  ctx.body = page('The provider refused', `<pre>${escape(JSON.stringify(out))}</pre>`);
}

async function body(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function send(res, status, html) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(html);
}
