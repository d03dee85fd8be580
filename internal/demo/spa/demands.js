// The panel with what not everybody may do, or not after every sign-in.

import * as bff from "./bff.js";
import { clock, one } from "./dom.js";
import { ask, needsMore } from "./stepup.js";

const payment = { to: "Hatter & Sons", amount: 120 };

export async function pay() {
  quiet();
  try {
    const done = await bff.json("/api/payments", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(payment),
    });
    const price = new Intl.NumberFormat(undefined, { style: "currency", currency: "EUR" }).format(done.approved.amount);
    report(`${price} to ${done.approved.to}: approved at level ${done.acr}, with a sign-in of ${clock(new Date(done.auth_time * 1000))}.`, true);
  } catch (error) {
    report(error.code ? `${error.status} ${error.code}` : "", false);
    if (!needsMore(error)) throw error;
    ask(one("#more-ask"), "A payment needs a second factor, and you signed in without one.", "Sign in more strongly", error, "h-more");
  }
}

export async function administrate() {
  quiet();
  try {
    const { orders, requests } = await bff.json("/api/admin");
    report(`You are in: ${orders} orders, ${requests} requests to the API so far.`, true);
  } catch (error) {
    if (error.code !== "not_permitted") throw error;
    report("403 not_permitted: this is for the group admin, and you are not in it. Signing in again would change nothing; Bob is in it.", false);
  }
}

export function quiet() {
  report("");
  one("#more-ask").hidden = true;
}

function report(text, good) {
  const place = one("#more-status");
  place.textContent = text;
  place.className = `result ${good ? "good" : "bad"}`;
}
