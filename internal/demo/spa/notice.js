// The notice below the header.

import * as bff from "./bff.js";
import { one } from "./dom.js";

let passing = 0;

/** say shows the notice: for a while, if there is nothing to click in it. */
export function say(title, text, { login, label = "Sign in again", retry = false } = {}) {
  one("#notice-title").textContent = title;
  one("#notice-text").textContent = text;
  const link = one("#notice-link");
  link.hidden = !login;
  link.textContent = label;
  if (login) link.href = bff.loginURL(login);
  one("#notice-retry").hidden = !retry;
  one("#notice").hidden = false;
  clearTimeout(passing);
  if (!login && !retry) passing = setTimeout(hush, 10000);
}

export function hush() {
  one("#notice").hidden = true;
}

/** refused tells of an error that is no signed_out. */
export function refused(error) {
  if (!(error instanceof bff.Problem)) {
    say("Cloakroom does not answer.", "Is it still running?", { retry: true });
  } else if (error.code === "step_up_required") {
    say(error.message, "Sign in once more to go on.", { login: error.loginURL });
  } else {
    const reference = error.reference ? ` Reference: ${error.reference}.` : "";
    say(error.message, `The answer was ${error.status}${error.code ? ` (${error.code})` : ""}.${reference}`, { retry: true });
  }
}
