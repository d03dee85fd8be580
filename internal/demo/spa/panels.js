// The panels of the first page: calls, the token log, streams and storage. Those
// with more to them are in modules of their own.

import * as bff from "./bff.js";
import { clear, clock, facts, log, make, one, span } from "./dom.js";
import { administrate, pay, quiet as forgetDemands } from "./demands.js";
import { clearDevices, endDevice, endOthers, loadDevices } from "./devices.js";
import { showSession, stopDials } from "./dials.js";
import { listening, startEvents, stopEvents } from "./events.js";
import { hideWarning } from "./warning.js";

let failed = () => {};
let refresh = () => {};
let seen = () => {};
let lastToken = "";
let generation = 0;
let auto = 0;
let socket = null;
let stream = null;
let wired = false;
let quiet = 0;

export function startPanels(hooks) {
  ({ failed, refresh, seen } = hooks);
  look();
  // Renewal is what there is to see here: it needs calls, and no clicks.
  setAuto(true);
  startEvents(hooks);
  loadDevices().catch(failed);
  if (wired) return;
  wired = true;
  const on = (name, act) => one(`[data-do=${name}]`).addEventListener("click", (event) => act(event.currentTarget));
  on("call", (button) => busy(button, () => call()));
  on("burst", (button) => busy(button, burst));
  on("renew", (button) => busy(button, renew));
  on("look", look);
  on("pay", (button) => busy(button, pay));
  on("admin", (button) => busy(button, administrate));
  on("devices", (button) => busy(button, loadDevices));
  on("end-others", (button) => busy(button, endOthers));
  one("#devices").addEventListener("click", ({ target }) => {
    if (target.dataset.end) busy(target, () => endDevice(target.dataset.end));
  });
  one("#warning-stay").addEventListener("click", ({ currentTarget }) => busy(currentTarget, stay));
  on("sse", () => (stream ? closeStream() : openStream()));
  on("ws-close", () => socket?.close());
  one("#auto").addEventListener("change", (event) => setAuto(event.target.checked));
  one("#ws-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(one("#ws-text").value);
  });
}

/** stopPanels lets go of all that would go on without a session, and of what was that person's. */
export function stopPanels() {
  setAuto(false);
  socket?.close();
  closeStream();
  stopEvents();
  stopDials();
  hideWarning();
  clearDevices();
  forgetDemands();
  lastToken = "";
  generation = 0;
  one("#api-answer").hidden = true;
  report("No call yet.");
  said("");
  clear(one("#token-log"), "Call the API to see the first one.");
  clear(one("#ws-log"), "The API sends back what you send.");
  one("#sse-count").textContent = "0";
  one("#sse-last").textContent = "One a second while connected.";
}

/** setAuto begins or ends the repeated calls, which keep no session awake. */
function setAuto(on) {
  clearInterval(auto);
  one("#auto").checked = on;
  if (!on) return;
  const idle = { headers: { "X-Session-Activity": "none" } };
  call(idle);
  auto = setInterval(() => document.hidden || call(idle), 3000);
}

async function busy(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (error) {
    failed(error);
  } finally {
    button.disabled = false;
  }
}

function report(text, good) {
  const place = one("#api-status");
  place.textContent = text;
  place.className = `result ${good === undefined ? "" : good ? "good" : "bad"}`;
}

/** said is the answer to "Renew now". */
function said(text) {
  one("#renew-status").textContent = text;
  clearTimeout(quiet);
  // The dial goes on, so that a number in the text is soon wrong.
  if (text) quiet = setTimeout(said, 8000, "");
}

async function call(options) {
  const began = performance.now();
  try {
    const answer = await bff.json("/api/whoami", options);
    report(`200 in ${Math.round(performance.now() - began)} ms at ${clock()}`, true);
    showAnswer(answer);
    // A call that is no activity changes nothing that the page isn't told of.
    if (!options || !listening()) refresh();
  } catch (error) {
    report(error instanceof bff.Problem ? `${error.status}: ${error.message}` : "No answer.", false);
    failed(error);
  }
}

function showAnswer({ claims = {}, token_expires_in: left, headers = {}, method, path }) {
  one("#api-answer").hidden = false;
  facts(one("#api-claims"), [
    ["Request", `${method} ${path}`],
    ["Token for", `${claims.name ?? ""} (${claims.sub ?? "nobody"})`],
    ["Audience", [claims.aud].flat().join(", ")],
    ["Scope", claims.scope ?? ""],
    ["Valid for", typeof left === "number" ? span(left) : ""],
    ["Token itself", "not shown: it never comes here"],
  ]);
  facts(one("#api-headers"), Object.keys(headers).sort().map((name) => [name, headers[name].join(", ")]));
  noteToken(claims);
  seen(claims.sub);
}

function noteToken({ jti, exp }) {
  if (!jti || jti === lastToken) return;
  lastToken = jti;
  generation++;
  log(one("#token-log"),
    make("span", {}, make("b", { textContent: `Token ${generation} ` }), make("code", { textContent: `…${jti.slice(-6)}` })),
    make("time", { textContent: `until ${clock(new Date(exp * 1000))}` }));
}

async function burst() {
  const began = performance.now();
  const answers = await Promise.allSettled(Array.from({ length: 50 }, () => bff.json("/api/whoami")));
  const good = answers.filter((a) => a.status === "fulfilled").map((a) => a.value);
  const tokens = new Set(good.map((a) => a.claims?.jti)).size;
  const took = Math.round(performance.now() - began);
  report(`${good.length} of 50 answered in ${took} ms, with ${tokens} access token${tokens === 1 ? "" : "s"}`, good.length === 50);
  if (good.length) showAnswer(good.reduce((a, b) => ((b.claims?.exp ?? 0) > (a.claims?.exp ?? 0) ? b : a)));
  refresh();
  const bad = answers.find((a) => a.status === "rejected");
  if (bad) throw bad.reason;
}

async function renew() {
  said("");
  const before = await bff.session();
  const after = await bff.renew();
  showSession(after);
  await call();
  // A token in the first quarter of its life is left alone: whoever is in a
  // hurry does not bring a storm over the provider.
  const left = after.token?.expires_in ?? 0;
  said(left > (before.token?.expires_in ?? 0) ? "Renewed." : `Still good for ${span(left)}: nothing to renew yet.`);
}

/** stay keeps the session. The bar goes when the stream tells of it, or at once if there is none. */
async function stay() {
  showSession(await bff.renew());
  if (!listening()) hideWarning();
}

function send(text) {
  if (socket?.readyState === WebSocket.OPEN) {
    deliver(text);
    return;
  }
  if (socket) return; // still connecting: the first message is on its way
  const state = one("#ws-state");
  state.textContent = "connecting";
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/ws`);
  socket.onopen = () => {
    state.textContent = "connected";
    state.classList.add("on");
    one("[data-do=ws-close]").disabled = false;
    deliver(text);
  };
  socket.onmessage = (event) => log(one("#ws-log"), make("span", { textContent: `← ${event.data}` }), make("time", { textContent: clock() }));
  socket.onclose = () => {
    socket = null;
    state.textContent = "closed";
    state.classList.remove("on");
    one("[data-do=ws-close]").disabled = true;
    refresh();
  };
}

function deliver(text) {
  socket.send(text);
  log(one("#ws-log"), make("span", { className: "far", textContent: `→ ${text}` }), make("time", { textContent: clock() }));
}

function openStream() {
  stream = new EventSource("/api/sse");
  streamState("connecting");
  stream.onopen = () => streamState("connected");
  stream.addEventListener("tick", (event) => {
    const tick = JSON.parse(event.data);
    one("#sse-count").textContent = tick.n;
    one("#sse-last").textContent = `Last one at ${clock(new Date(tick.time))}, for ${tick.subject}`;
  });
  stream.onerror = () => {
    streamState(stream?.readyState === EventSource.CLOSED ? "refused" : "reconnecting");
    if (stream?.readyState === EventSource.CLOSED) closeStream();
    refresh();
  };
}

function closeStream() {
  stream?.close();
  stream = null;
  streamState("closed");
}

function streamState(text) {
  one("#sse-state").textContent = text;
  one("#sse-state").classList.toggle("on", text === "connected");
  one("[data-do=sse]").textContent = stream ? "Disconnect" : "Connect";
}

/** look shows everything that a script can find in this browser. */
function look() {
  const kept = (storage) => (storage.length ? Object.keys(storage).join(", ") : "(empty)");
  facts(one("#storage"), [
    ["document.cookie", document.cookie || "(empty)"],
    ["localStorage", kept(localStorage)],
    ["sessionStorage", kept(sessionStorage)],
  ]);
}
