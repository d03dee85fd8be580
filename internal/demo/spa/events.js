// What Cloakroom tells the page of its session (GET /bff/events), and the panel
// that logs it. The stream never extends the session.

import { clear, clock, log, make, one, span } from "./dom.js";
import { calm, warn } from "./warning.js";

const retry = 30000; // ms, after a refusal: a browser then gives up by itself
const settle = 1000; // ms, until another tab's new cookie is surely there
const grace = 2000; // ms, for the reason to come after a call that was refused

/** reasons says in a sentence why a session ended. */
export const reasons = {
  logout: "You signed out in another tab.",
  idle: "You did nothing for too long.",
  absolute: "It was as old as a session may become.",
  replaced: "Somebody else signed in, in another tab of this browser.",
  provider_logout: "You signed out at the provider.",
  ended_elsewhere: "It was ended from another device of yours.",
  operator: "An operator ended it.",
  security: "It looked as if somebody else used a copy of your cookie.",
  renewal_failed: "The provider renews its tokens no more.",
};

let hooks = {};
let source = null;
let timer = 0;
let wait = settle;

/** listening reports whether the page is told what happens, and need not ask. */
export const listening = () => source?.readyState === EventSource.OPEN;

/** startEvents opens the stream. hooks: refresh, renewed(session), changed, ended(event). */
export function startEvents(given) {
  hooks = given;
  wait = settle;
  open();
}

/** stopEvents closes the stream; the reason of an end may still come. */
export function stopEvents() {
  clearTimeout(timer);
  const last = source;
  source = null;
  setTimeout(() => last?.close(), grace);
  state("closed");
  clear(one("#events-log"), "Nothing yet.");
}

function open() {
  clearTimeout(timer);
  source?.close();
  const mine = (source = new EventSource("/bff/events"));
  state("connecting");
  const current = () => source === mine;
  const on = (name, act) => mine.addEventListener(name, (event) => act(JSON.parse(event.data), current()));
  mine.onopen = () => {
    if (!current()) return;
    state("connected");
    note("", "Connected.");
    // What happened in between is not told again.
    hooks.refresh();
  };
  mine.onerror = () => current() && failed();
  on("session.expiring", (data, now) => now && expiring(data));
  on("session.renewed", (data, now) => now && renewed(data));
  on("session.changed", (data, now) => now && changed());
  on("session.ended", (data, now) => {
    mine.close();
    if (now || !source) hooks.ended(data);
  });
}

function failed() {
  if (source.readyState !== EventSource.CLOSED) {
    if (one("#events-state").textContent !== "reconnecting") note("", "The stream broke off. The browser connects again by itself.");
    state("reconnecting");
    return;
  }
  // The browser does not say why: signed out, or streams enough.
  state("refused");
  note("", `The stream was refused: four pages of this session listen already, or it is over. Next attempt in ${span(retry / 1000)}.`);
  hooks.refresh();
  timer = setTimeout(open, retry);
}

function expiring(data) {
  wait = settle;
  const left = span(data.expires_in);
  note("session.expiring", data.limit === "idle" ? `Over in ${left}, unless you do something.` : `Over in ${left}, whatever you do.`);
  warn(data);
}

function renewed(answer) {
  wait = settle;
  const back = calm(answer.session);
  note("session.renewed", back ? "You are back: the idle time begins anew." : `A new access token, good for ${span(answer.token?.expires_in ?? 0)}.`);
  hooks.renewed(answer);
}

function changed() {
  note("session.changed", "You signed in again in this browser: another session took this one’s place.");
  source.close();
  state("reconnecting");
  timer = setTimeout(() => {
    hooks.changed();
    open();
  }, wait);
  // As long as the old cookie is sent, the answer is the same.
  wait = Math.min(2 * wait, retry);
}

function note(name, text) {
  const words = name ? [make("b", { textContent: name }), " ", text] : [text];
  log(one("#events-log"), make("span", {}, ...words), make("time", { textContent: clock() }));
}

function state(text) {
  one("#events-state").textContent = text;
  one("#events-state").classList.toggle("on", text === "connected");
}
