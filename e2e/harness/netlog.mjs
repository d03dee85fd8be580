// Chromium's net log: all that the browser received, headers, bodies and frames,
// as it was before any page or tool touched it.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * readNetLog returns what came from origin: responses, each with method, url,
 * headers (lines) and body (Buffer), and connections, each with the decrypted
 * bytes received. Redirects are responses of their own.
 */
export async function readNetLog(file, origin) {
  const host = new URL(origin).host;
  const port = `:${new URL(origin).port}`;
  const log = new Collector();
  let types;
  // The first line holds the constants, then there is one event a line. The last
  // lines are a summary without events.
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (!types) types = typeNames(line);
    else if (line.startsWith('{"')) log.event(parse(line), types);
  }
  return {
    responses: log.responses.filter((r) => r.url && new URL(r.url).host === host)
      .map((r) => ({ ...r, body: Buffer.concat(r.body) })),
    connections: [...log.sockets.values()].filter((c) => c.peer?.endsWith(port))
      .map((c) => Buffer.concat(c.bytes)),
  };
}

class Collector {
  responses = [];
  current = new Map(); // URL request -> its response
  sockets = new Map();

  event(e, types) {
    const id = e?.source?.id;
    const params = e?.params ?? {};
    switch (types.get(e?.type)) {
      case 'URL_REQUEST_START_JOB':
        if (params.url) this.start(id, params);
        break;
      case 'HTTP_TRANSACTION_READ_RESPONSE_HEADERS':
      case 'HTTP_TRANSACTION_READ_EARLY_HINTS_RESPONSE_HEADERS':
        this.current.get(id)?.headers.push(...params.headers);
        break;
      case 'URL_REQUEST_JOB_FILTERED_BYTES_READ':
        if (params.bytes) this.current.get(id)?.body.push(Buffer.from(params.bytes, 'base64'));
        break;
      case 'TCP_CONNECT_ATTEMPT':
        if (params.address) this.socket(id).peer = params.address;
        break;
      case 'SSL_SOCKET_BYTES_RECEIVED':
        if (params.bytes) this.socket(id).bytes.push(Buffer.from(params.bytes, 'base64'));
        break;
      default:
    }
  }

  start(id, { url, method }) {
    const response = { url, method, headers: [], body: [] };
    this.current.set(id, response);
    this.responses.push(response);
  }

  socket(id) {
    if (!this.sockets.has(id)) this.sockets.set(id, { bytes: [] });
    return this.sockets.get(id);
  }
}

function typeNames(line) {
  const { constants } = JSON.parse(`${line.replace(/,\s*$/, '')}}`);
  return new Map(Object.entries(constants.logEventTypes).map(([name, number]) => [number, name]));
}

function parse(line) {
  try {
    return JSON.parse(line.replace(/,\s*$/, ''));
  } catch {
    return undefined; // the last event may run on into the summary
  }
}
