import type { DeviceSession } from "@cloakroom/client";
import { useSession } from "@cloakroom/client/react";
import { useCallback, useEffect, useState } from "react";

import { Outcome } from "./Outcome.tsx";
import { useTask } from "./useTask.ts";

/** Devices lists where the user is signed in, and ends that. */
export function Devices() {
  const { client, status } = useSession();
  const [devices, setDevices] = useState<DeviceSession[]>([]);
  const task = useTask();
  const load = useCallback(async () => setDevices(await client.sessions()), [client]);
  useEffect(() => {
    if (status === "signed-in") load().catch(() => setDevices([]));
    else setDevices([]);
  }, [status, load]);
  const end = (what: () => Promise<unknown>) =>
    task.run(async () => {
      await what();
      await load();
      return "Signed out there.";
    });
  return (
    <section>
      <h1>Where you are signed in</h1>
      <ul className="devices">
        {devices.map((device) => (
          <li key={device.id}>
            <div>
              <strong>{device.label}</strong>
              <span>
                {device.network} · last used {new Date(device.last_seen).toLocaleString()}
              </span>
            </div>
            {device.current ? <em>This device</em> : <button onClick={() => end(() => client.endSession(device.id))}>Sign out</button>}
          </li>
        ))}
      </ul>
      {devices.length > 1 && <button onClick={() => end(() => client.endOtherSessions())}>Sign out everywhere else</button>}
      <Outcome task={task} />
    </section>
  );
}
