import { useSession } from "@cloakroom/client/react";
import { useEffect, useState } from "react";

/** Ending warns that the session is about to end, and prevents it where that can be done. */
export function Ending() {
  const { expiring, renew } = useSession();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!expiring) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [expiring]);
  if (!expiring) return null;
  const left = Math.max(0, Math.round((expiring.at - now) / 1000));
  return (
    <div role="alertdialog" aria-labelledby="ending" className="notice">
      <p id="ending">
        You will be signed out in <span aria-hidden="true">{left} s</span>
        <span className="unseen">a moment</span>.
      </p>
      {expiring.limit === "idle" && <button onClick={() => void renew()}>Stay signed in</button>}
    </div>
  );
}
