// The orders page: a list from the API, as any app would show it.

import * as bff from "./bff.js";
import { make, one } from "./dom.js";

export async function loadOrders({ failed, seen }) {
  const status = one("#orders-status");
  status.textContent = "Loading …";
  try {
    const { orders, subject } = await bff.json("/api/orders");
    seen(subject);
    const price = new Intl.NumberFormat(undefined, { style: "currency", currency: "EUR" });
    one("#orders").replaceChildren(...orders.map((o) => make("tr", {},
      make("td", { textContent: o.id }),
      make("td", { textContent: o.item }),
      make("td", { className: "num", textContent: o.quantity }),
      make("td", { className: "num", textContent: price.format(o.price) }),
      make("td", { textContent: o.status }))));
    status.textContent = "";
  } catch (error) {
    status.textContent = "The orders could not be loaded.";
    failed(error);
  }
}

export function clearOrders() {
  one("#orders").replaceChildren();
  one("#orders-status").textContent = "";
}
