import { type FormEvent, useState } from "react";

import { json } from "./cloakroom.ts";
import { Outcome } from "./Outcome.tsx";
import { useTask } from "./useTask.ts";

/** NewOrder is a form whose content survives that the session ends while it is filled in. */
export function NewOrder() {
  const [note, setNote] = useState("");
  const task = useTask();
  const send = (event: FormEvent) => {
    event.preventDefault();
    task.run(async (signal) => {
      const body = JSON.stringify({ item: "Wool coat", note });
      await json("/api/orders", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
      return "Ordered.";
    });
  };
  return (
    <form onSubmit={send}>
      <h1>Order a coat</h1>
      <label>
        Note for the tailor
        <textarea value={note} onChange={(event) => setNote(event.target.value)} rows={4} />
      </label>
      <button disabled={task.busy}>Order</button>
      <Outcome task={task} />
    </form>
  );
}
