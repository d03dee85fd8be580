// The sample app: which page is shown, who is signed in, and what to do when
// the session is over. The panels of the first page are in panels.js.

import * as bff from "./bff.js";
import { all, one } from "./dom.js";
import { loadDevices } from "./devices.js";
import { listening, reasons } from "./events.js";
import { hush, refused, say } from "./notice.js";
import { startDials, showSession } from "./dials.js";
import { startPanels, stopPanels } from "./panels.js";
import { clearOrders, loadOrders } from "./orders.js";

const titles = { "/": "Session", "/orders": "Orders", "/about": "About" };
let state = "loading"; // loading, in or out
let subject = ""; // who is signed in, as far as this page knows
let asking = false;
let leaving = false; // the user signs out here
const hooks = { failed, refresh: checkSession, renewed: showSession, seen, changed: identify, ended };

/** show brings the page in line with the address and the state. */
function show() {
  const path = titles[location.pathname] ? location.pathname : "*";
  let found = false;
  for (const part of all("[data-when], [data-route]")) {
    const when = !part.dataset.when || part.dataset.when === state;
    const route = !part.dataset.route || part.dataset.route.split(" ").includes(path);
    part.hidden = !(when && route);
    found ||= !part.hidden && part.tagName === "SECTION";
  }
  // Pages that need no session are there while the question is open.
  one("p.loading").hidden = state !== "loading" || found;
  for (const link of all("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const link of all("[data-login]")) link.href = bff.loginURL("", link.dataset.login);
  document.title = `${titles[path] || "No such page"} · Cloakroom demo`;
  if (state === "in" && path === "/orders") loadOrders(hooks);
}

/** go shows another page of the app without loading it. */
function go(path) {
  history.pushState(null, "", path);
  show();
  window.scrollTo(0, 0);
  one("#main").focus({ preventScroll: true });
}

/** failed is where every error of a call ends. */
export function failed(error) {
  if (error.code !== "signed_out") refused(error);
  // Only the first of many calls that are refused at once tells it.
  else if (state === "in" && !leaving) over("", error.loginURL);
}

/** over tells that the session is over, and why if that is known. */
function over(why, login) {
  say("Your session is over.", `${why} Sign in again to go on where you were.`.trim(), { login: login || "/bff/login" });
  signedOut();
}

/** ended takes the end of the session from the event stream: it comes at once, or after a call that was refused. */
function ended({ reason, login_url }) {
  if (leaving || state === "loading") return;
  over(reasons[reason] ?? "", login_url);
  // The cookie of this tab, too, is now that of the person who signed in.
  if (reason === "replaced") setTimeout(identify, 1000);
}

function signedOut() {
  state = "out";
  stopPanels();
  clearOrders();
  show();
}

function signedIn(user) {
  state = "in";
  subject = user.sub;
  leaving = false;
  fill(user);
  hush();
  show();
  startDials(checkSession, listening);
  startPanels(hooks);
}

/** fill writes who is signed in wherever that stands. */
function fill(user) {
  const { session = {}, provider = "", acr = "" } = user.bff ?? {};
  const name = nameOf(user);
  const values = {
    name, email: user.email ?? "", sub: user.sub, provider, acr,
    initials: name.split(/\s+/).map((word) => word[0]).slice(0, 2).join(""),
    since: session.started_at ? new Date(session.started_at).toLocaleString() : "",
  };
  for (const place of all("[data-user]")) place.textContent = values[place.dataset.user];
}

const nameOf = (user) => user.name || user.preferred_username || user.email || user.sub;

/** checkSession asks for the times left; it never extends the session. */
async function checkSession() {
  if (state !== "in") return;
  try {
    const answer = await bff.session();
    if (answer.authenticated) showSession(answer);
    else failed(bff.signedOut(answer));
  } catch (error) {
    failed(error);
  }
}

/** identify asks who is signed in now: another tab may have changed it. */
async function identify() {
  if (state === "loading" || asking) return;
  asking = true;
  try {
    const answer = await bff.session();
    if (!answer.authenticated) {
      failed(bff.signedOut(answer));
      return;
    }
    const user = await bff.user();
    if (user.sub === subject && state === "in") {
      fill(user);
      showSession(answer);
      loadDevices().catch(() => {}); // the list is as old as it was
      return;
    }
    // Nothing of the one person may stay on the other's page.
    const changed = subject && user.sub !== subject;
    signedOut();
    signedIn(user);
    if (changed) say(`You are ${nameOf(user)} now.`, "The sign-in in another tab holds for this one too: they share the cookie.");
  } catch (error) {
    failed(error);
  } finally {
    asking = false;
  }
}

/** seen is told for whom the API's answers are. */
function seen(sub) {
  if (state === "in" && sub && sub !== subject) identify();
}

async function start() {
  show();
  try {
    // This answers 200 in any case: nobody is signed in is not an error.
    const { authenticated } = await bff.session();
    if (!authenticated) return signedOut();
    signedIn(await bff.user());
    // Who comes back from a stronger sign-in goes on where it was asked for.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    if (error.code === "signed_out") signedOut();
    else failed(error);
  }
}

async function signOut() {
  leaving = true;
  try {
    await bff.signOut();
  } catch (error) {
    leaving = false; // still signed in
    failed(error);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (link && plain && link.origin === location.origin && titles[link.pathname] && !link.hash) {
    event.preventDefault();
    go(link.pathname);
  }
});
one("[data-do=sign-out]").addEventListener("click", signOut);
one("#notice-retry").addEventListener("click", () => {
  hush();
  if (state === "in") checkSession();
  else start();
});
window.addEventListener("popstate", show);
// Whoever comes back to this page sees at once what is true now.
window.addEventListener("focus", identify);
document.addEventListener("visibilitychange", () => document.hidden || identify());
// A page that comes back from the history may show a session of long ago.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
start();
