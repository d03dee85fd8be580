// The bar that says how soon the session ends, with a way to keep it.

import { one, span } from "./dom.js";

let limit = ""; // idle or absolute; empty: nothing is warned of
let end = 0; // by performance.now
let timer = 0;

const left = () => Math.max(0, (end - performance.now()) / 1000);

/** warn shows the bar. It takes the data of a session.expiring. */
export function warn(data) {
  limit = data.limit;
  end = performance.now() + 1000 * data.expires_in;
  const idle = limit === "idle";
  one("#warning-text").textContent = idle ? "You have done nothing for a while." : "The session is as old as it may become, whatever you do.";
  one("#warning-stay").hidden = !idle;
  one("#warning-again").hidden = idle;
  draw();
  one("#warning").hidden = false;
  clearInterval(timer);
  timer = setInterval(draw, 1000);
}

/** calm takes the bar away if the end that it warns of has moved, and reports that. */
export function calm(session) {
  // A new access token alone moves no end of a session.
  if (!limit || (session?.[`${limit}_expires_in`] ?? 0) < left() + 2) return false;
  hideWarning();
  return true;
}

export function hideWarning() {
  limit = "";
  clearInterval(timer);
  one("#warning").hidden = true;
}

function draw() {
  one("#warning-left").textContent = span(left());
}
