// The panel with the user's sessions in all browsers.

import * as bff from "./bff.js";
import { make, one, when } from "./dom.js";
import { ask, needsMore } from "./stepup.js";

let loading = false;

/** loadDevices shows the list as it is now. Errors are its caller's. */
export async function loadDevices() {
  if (loading) return;
  loading = true;
  try {
    const { sessions } = await bff.json("/bff/sessions");
    one("#devices").replaceChildren(...sessions.map(entry));
    one("[data-do=end-others]").hidden = sessions.length < 2;
  } finally {
    loading = false;
  }
}

export function clearDevices() {
  one("#devices").replaceChildren();
  say("");
}

/** endOthers ends all sessions but this one. */
export const endOthers = () => end("/bff/sessions", async (answer) => {
  const { ended } = await answer.json();
  return ended === 1 ? "One other was signed out." : `${ended} others were signed out.`;
});

async function end(path, done) {
  say("");
  try {
    say(await done(await bff.request(path, { method: "DELETE" })));
  } catch (error) {
    if (needsMore(error)) {
      ask(one("#devices-ask"), "To sign out another device you must have signed in within the last minutes: whoever finds this page open should not be able to.",
        "Sign in again", error, "h-devices");
      return;
    }
    if (error.code !== "not_found") throw error;
    say("That one was over already.");
  }
  await loadDevices();
}

function entry({ id, current, label, network, first_seen: first, last_seen: last }) {
  const name = make("p", { className: "name", textContent: label });
  if (current) name.append(make("span", { className: "tag", textContent: "This device" }));
  const times = `since ${when(new Date(first))}, last active ${when(new Date(last))}`;
  const item = make("li", {}, make("div", {}, name, make("p", { textContent: network ? `${network}, ${times}` : times })));
  if (!current) item.append(button(id, label));
  return item;
}

function button(id, label) {
  const element = make("button", { type: "button", className: "quiet", textContent: "Sign out" });
  element.setAttribute("aria-label", `Sign out ${label}`);
  element.dataset.end = id;
  return element;
}

/** endDevice ends the session with this ID. */
export const endDevice = (id) => end(`/bff/sessions/${encodeURIComponent(id)}`, () => "Signed out. Its pages know by now.");

function say(text) {
  one("#devices-status").textContent = text;
  one("#devices-ask").hidden = true;
}
