import { lazy, Suspense, useEffect, useState } from 'react';

const More = lazy(() => import('./More'));

export function App() {
  const [count, setCount] = useState(0);
  const [user, setUser] = useState<string | null>(null);
  const [more, setMore] = useState(false);
  useEffect(() => {
    fetch('/bff/user').then(async (res) => setUser(res.ok ? (await res.json()).sub : null));
  }, []);
  return (
    <main>
      <h1>Version one</h1>
      <p>{user ? `Signed in as ${user}` : 'Signed out'}</p>
      <a href={`/bff/login?return_to=${encodeURIComponent(location.pathname)}`}>Sign in</a>
      <button onClick={() => setCount((n) => n + 1)}>Count {count}</button>
      <button onClick={() => setMore(true)}>More</button>
      {more && <Suspense fallback="…"><More /></Suspense>}
    </main>
  );
}
