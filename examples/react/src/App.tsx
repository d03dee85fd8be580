import { useSession } from "@cloakroom/client/react";

import type { Claims } from "./cloakroom.ts";
import { Devices } from "./Devices.tsx";
import { Ending } from "./Ending.tsx";
import { NewOrder } from "./NewOrder.tsx";
import { Payment } from "./Payment.tsx";
import { usePath } from "./path.ts";

const pages = [
  { path: "/", name: "Order" },
  { path: "/payment", name: "Payment" },
  { path: "/devices", name: "Devices" },
];

/** App is the frame: who is signed in, where one can go, and the page. */
export function App() {
  const { status, user, endReason, error, login, logout } = useSession<Claims>();
  const [path, go] = usePath();
  // Whoever was signed in may have typed something: then the page stays.
  const signIn = () => void login({ popup: endReason !== null }).catch(() => {});
  if (status === "loading") return <p className="middle">{error ? "The server does not answer. Trying again …" : "One moment …"}</p>;
  return (
    <>
      <header>
        <strong>Coat shop</strong>
        <nav aria-label="Pages">
          {pages.map((page) => (
            <a key={page.path} href={page.path} aria-current={page.path === path ? "page" : undefined} onClick={go}>
              {page.name}
            </a>
          ))}
        </nav>
        {status === "signed-in" ? (
          <div className="who">
            <span>{user.name ?? user.sub}</span>
            <button onClick={() => void logout()}>Sign out</button>
          </div>
        ) : (
          <button onClick={signIn}>Sign in</button>
        )}
      </header>
      <Ending />
      {status === "signed-out" && (
        <p role="status" className="notice">
          {endReason ? `${over[endReason] ?? "Your session is over."} What you have typed stays.` : "You are not signed in."}
        </p>
      )}
      <main>
        {path === "/payment" ? <Payment /> : path === "/devices" ? <Devices /> : <NewOrder />}
      </main>
    </>
  );
}

const over: Record<string, string> = {
  logout: "You signed out in another tab.",
  idle: "You were signed out because nothing happened for a while.",
  absolute: "Your session has reached its end.",
  provider_logout: "You were signed out by your sign-in provider.",
  ended_elsewhere: "You were signed out from another device.",
  replaced: "Somebody else signed in in this browser.",
};
