// The three countdowns. The server says how much is left, the page counts by
// itself in between. What the event stream tells need not be asked for; calls in
// other tabs are not among it, so that the page asks now and then all the same.

import { one, span } from "./dom.js";

const poll = 4000;
const pollListening = 30000;
const dials = {}; // name → {left, at, most}
let timer = 0;
let ask = () => {};
let listening = () => false;

/** startDials keeps the dials going and calls refresh every few seconds, or more seldom while listening() is true. */
export function startDials(refresh, told) {
  ask = refresh;
  listening = told;
  ask();
  clearInterval(timer);
  let since = 0;
  timer = setInterval(() => {
    draw();
    since += 1000;
    // A page that nobody looks at asks nothing.
    if (since >= (listening() ? pollListening : poll) && !document.hidden) {
      since = 0;
      ask();
    }
  }, 1000);
}

export function stopDials() {
  clearInterval(timer);
  timer = 0;
}

/** showSession takes an answer of GET /bff/session. */
export function showSession({ session, token }) {
  set("idle", session?.idle_expires_in);
  set("absolute", session?.absolute_expires_in);
  set("token", token?.expires_in);
  draw();
}

function set(name, left) {
  if (typeof left !== "number") {
    delete dials[name];
    return;
  }
  const most = Math.max(left, dials[name]?.most ?? 0, 1);
  dials[name] = { left, most, at: performance.now() };
}

function draw() {
  for (const name of ["token", "idle", "absolute"]) {
    const place = one(`[data-dial=${name}]`);
    const dial = dials[name];
    const left = dial ? Math.max(0, dial.left - (performance.now() - dial.at) / 1000) : 0;
    const share = dial ? (100 * left) / dial.most : 0;
    const text = !dial ? "–" : left > 0 ? span(left) : name === "token" ? "due" : "over";
    place.querySelector("output").textContent = text;
    place.classList.toggle("long", text.length > 5);
    // A round cap would leave a dot where nothing is left.
    place.querySelector("circle + circle").style.strokeDasharray = share < 0.5 ? "0 101" : `${share} 100`;
    place.querySelector("circle + circle").style.opacity = share < 0.5 ? "0" : "1";
    place.classList.toggle("low", share < 25);
  }
}
