// Small helpers for the page. Text is always set as text, never as markup.

export const one = (selector) => document.querySelector(selector);
export const all = (selector) => [...document.querySelectorAll(selector)];

/** make builds an element from its children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** facts fills a definition list. */
export function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [
    make("dt", { textContent: name }),
    make("dd", { textContent: value }),
  ]));
}

/** log puts an entry on top of a list and keeps the list short. */
export function log(list, ...children) {
  list.querySelector(".empty")?.remove();
  list.prepend(make("li", {}, ...children));
  while (list.children.length > 30) list.lastElementChild.remove();
}

/** clear empties such a list and says so. */
export const clear = (list, text) => list.replaceChildren(make("li", { className: "empty", textContent: text }));

export const clock = (when = new Date()) => when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** when is a time of the past: of today without its date. */
export function when(date) {
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

/** span is a time left, in as few characters as tell it. */
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s >= 3600) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)} h`;
  return s >= 60 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${s} s`;
}
