// An API that does the worst an API behind Cloakroom can do: it sends the access
// token that it got back to the browser. It is there to test the canary search.

const encoders = {
  raw: (token) => token,
  part: (token) => token.slice(-20),
  percent: (token) => Buffer.from(token).toString('hex').replace(/../g, '%$&'),
  'base64-0': (token) => Buffer.from(token).toString('base64'),
  'base64-1': (token) => Buffer.from(`?${token}`).toString('base64'),
  'base64-2': (token) => Buffer.from(`??${token}~~`).toString('base64'),
  base64url: (token) => Buffer.from(`\xff?${token}`, 'latin1').toString('base64url'),
  'base64-percent': (token) => encodeURIComponent(Buffer.from(`{"t":"${token}"}`).toString('base64')),
  hex: (token) => Buffer.from(token).toString('hex'),
  HEX: (token) => Buffer.from(token).toString('hex').toUpperCase(),
};

const places = {
  body: (res, leak) => res.end(`{"message":"bad token: ${leak}"}`),
  error: (res, leak) => res.writeHead(500, { 'content-type': 'text/plain' }).end(`trace: ${leak}`),
  header: (res, leak) => res.writeHead(200, { 'x-debug': `token=${leak}` }).end(),
  location: (res, leak) => res.writeHead(303, { location: `/leaky/ok?from=${leak}` }).end(),
  cookie: (res, leak) => res.writeHead(200, { 'set-cookie': `leak=${leak}; Secure` }).end(),
  events: (res, leak) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    // In two pieces, as frames on the wire may cut anything.
    res.write(`data: ${leak.slice(0, 9)}`);
    setImmediate(() => res.end(`${leak.slice(9)}\n\n`));
  },
};

/** leaks are all the paths that leak answers to, each in its own way. */
export const leaks = Object.keys(places).flatMap((place) => Object.keys(encoders).map((e) => `/leaky/${place}/${e}`));

/** leak answers one of them with token, and /leaky/ok without. */
export function leak(path, token, res) {
  const [, , place, encoding] = path.split('/');
  if (!encoding) return res.end('ok');
  return places[place](res, encoders[encoding](token));
}
