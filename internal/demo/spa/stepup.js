// A refusal that a stronger or more recent sign-in would lift: what is missing,
// and the way to it and back.

import * as bff from "./bff.js";
import { make } from "./dom.js";

export const needsMore = (error) => error instanceof bff.Problem && error.code === "step_up_required";

/** ask shows it in place; the way leads back to the heading with the ID anchor. */
export function ask(place, text, label, error, anchor) {
  place.replaceChildren(
    make("p", { textContent: text }),
    make("a", { className: "button", textContent: label, href: bff.loginURL(error.loginURL, "", `#${anchor}`) }));
  place.hidden = false;
}
