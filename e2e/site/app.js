// The smallest single-page app: routes of its own, and what /bff tells it.

const el = (id) => document.getElementById(id);
const here = () => location.pathname + location.search + location.hash;

function route() {
  el('where').textContent = here();
  el('sign-in').href = `/bff/login?return_to=${encodeURIComponent(here())}`;
}

async function who() {
  const res = await fetch('/bff/user');
  const user = await res.json();
  el('status').textContent = res.ok ? `Signed in as ${user.sub}` : 'Signed out';
  el('sign-in').hidden = res.ok;
  el('sign-out').hidden = !res.ok;
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-route]');
  if (!link) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  route();
});
window.addEventListener('popstate', route);

route();
await who();
