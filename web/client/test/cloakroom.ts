import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { ActiveSession } from "../src/index.js";

/** A session as the server keeps it. */
export interface Kept {
  user: string;
  startedAt: string;
  idle: number;
  /** What a step-up has proved. */
  acr: string;
}

let count = 0;

/** Cloakroom as one browser sees it: the cookie is understood. */
export class Cloakroom {
  session: Kept | null = null;
  /** Each call, such as "GET /bff/session", with what matters of its headers. */
  readonly calls: string[] = [];
  readonly headers: Headers[] = [];
  readonly bodies: string[] = [];
  /** Answers of the test's own, by call. */
  readonly answers: Map<string, (request: Request) => Response | Promise<Response>> = new Map();

  /** The provider that users are from. */
  provider = "main";

  /** Begins a session, as the callback of a sign-in does. */
  signIn(user = "ada", acr = "1"): Kept {
    const startedAt = new Date(Date.UTC(2026, 0, 2, 9, 0, count++)).toISOString();
    return (this.session = { user, startedAt, idle: 1800, acr });
  }

  count(call: string): number {
    return this.calls.filter((c) => c === call).length;
  }

  /** What stands in for the page's fetch. */
  readonly fetch: typeof globalThis.fetch = (input, init) =>
    this.answer(input instanceof Request ? new Request(input, init) : new Request(new URL(String(input), location.href), init));

  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const call = `${request.method} ${pathname}`;
    this.calls.push(call);
    this.headers.push(request.headers);
    this.bodies.push(await request.text());
    const own = this.answers.get(call);
    if (own) return own(request);
    switch (call) {
      case "GET /bff/session":
        return Response.json(this.times() ?? { authenticated: false, login_url: "/bff/login" });
      case "GET /bff/user":
        return this.session ? Response.json(this.user(this.session)) : problem(401, "signed_out", { login_url: "/bff/login" });
      case "POST /bff/session/renew":
        return this.session ? Response.json(this.times()) : problem(401, "signed_out", { login_url: "/bff/login" });
      case "POST /bff/logout":
        this.session = null;
        return Response.json({ logout_url: "https://id.example/logout?x=1" });
      case "GET /api/orders":
      case "POST /api/orders":
        return this.session
          ? Response.json({ user: this.session.user })
          : problem(401, "signed_out", { login_url: "/bff/login" });
      case "GET /api/vault":
        return this.session?.acr === "2"
          ? Response.json({ gold: 1 })
          : problem(401, "step_up_required", { login_url: "/bff/login?acr_values=2&provider=main" });
    }
    return problem(404, "not_found");
  }

  /** The answer of /bff/session, if anybody is signed in. */
  times(): ActiveSession | null {
    const s = this.session;
    return (
      s && {
        authenticated: true,
        provider: "main",
        session: { started_at: s.startedAt, idle_expires_in: s.idle, absolute_expires_in: 43_200 },
        token: { expires_in: 240, renewable: true },
      }
    );
  }

  user(s: Kept): object {
    return { sub: s.user, name: s.user, bff: { provider: this.provider, acr: s.acr, session: this.times()?.session } };
  }
}

/** A refusal of Cloakroom's. */
export function problem(status: number, code: string, more: object = {}, headers: HeadersInit = {}): Response {
  const body = { type: `urn:cloakroom:${code}`, title: `Refused: ${code}.`, status, code, reference: "3f9c0a17b2de", ...more };
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json", ...headers } });
}

/** Cloakroom on a port of this machine, with event streams. */
export class Listening {
  readonly streams: Set<ServerResponse> = new Set();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(readonly cloakroom: Cloakroom) {}

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts on the same port as before, if there was one. */
  async start(): Promise<void> {
    const server = createServer(async (incoming, outgoing) => {
      if (incoming.url === "/bff/events") return this.#stream(outgoing);
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
      const body = chunks.length ? Buffer.concat(chunks) : null;
      const request = new Request(`${this.origin}${incoming.url}`, { method: incoming.method ?? "GET", headers, body });
      const response = await this.cloakroom.answer(request);
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      outgoing.end(Buffer.from(await response.arrayBuffer()));
    });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Stops, and cuts what is open. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  send(type: string, data: object): void {
    for (const stream of this.streams) stream.write(`event: session.${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** The server closes the streams. */
  end(): void {
    for (const stream of this.streams) stream.end();
  }

  #stream(outgoing: ServerResponse): void {
    this.cloakroom.calls.push("GET /bff/events");
    if (!this.cloakroom.session) {
      outgoing.writeHead(401, { "Content-Type": "application/problem+json" });
      outgoing.end("{}");
      return;
    }
    outgoing.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    outgoing.write("retry: 50\n: hello\n\n");
    this.streams.add(outgoing);
    outgoing.on("close", () => this.streams.delete(outgoing));
  }
}
