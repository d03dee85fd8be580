// HTTP servers on free loopback ports that can go down and come back.

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

/**
 * freePort returns a port of 127.0.0.1 that nobody listens on. It is not one of
 * those that the system gives to outgoing connections, which the browser and the
 * other test files take all the time.
 */
export async function freePort() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 26_000 + Math.floor(Math.random() * 6_000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => { server.close(resolve); });
    return port;
  }
  throw new Error('no port is free');
}

/**
 * serve answers with handler on host:port (0: any). With tls ({cert, key})
 * it speaks https. down() refuses and cuts connections until up().
 */
export async function serve(handler, { host = '127.0.0.1', port = 0, tls } = {}) {
  const server = tls
    ? https.createServer({ cert: tls.cert, key: tls.key }, handler)
    : http.createServer(handler);
  const sockets = new Set();
  const keep = (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  server.on('connection', keep);
  const listen = (at) => new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, host, () => { server.off('error', reject); resolve(); });
  });
  await listen(port);
  const bound = server.address().port;
  const down = async () => {
    const closed = new Promise((resolve) => { server.close(resolve); });
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { server, port: bound, down, up: () => listen(bound), close: () => server.listening && down() };
}
