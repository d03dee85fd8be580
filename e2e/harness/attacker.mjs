// Pages of somebody else: on 127.0.0.1, another site than the app, and on another
// port of localhost, the same site but another origin.

import { serve } from './server.mjs';

/** startAttacker serves a page that aims at app. */
export async function startAttacker({ app, cert }) {
  const { port, close } = await serve((req, res) => {
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    res.end(html(app));
  }, { tls: cert });
  return { crossSite: `https://127.0.0.1:${port}/`, sameSite: `https://localhost:${port}/`, close };
}

const html = (app) => `<!doctype html><html lang="en"><title>Win a prize</title>
<h1>Win a prize</h1>
<a id="gated" href="${app}/reports/7">Your report</a>
<a id="page" href="${app}/orders/7?year=2026">Your order</a>
<a id="login" href="${app}/bff/login?return_to=/">Sign in</a>
<form id="logout" method="post" action="${app}/bff/logout"><button>Continue</button></form>
<form id="order" method="post" action="${app}/api/orders"><input name="item" value="1"><button>Buy</button></form>
</html>`;
