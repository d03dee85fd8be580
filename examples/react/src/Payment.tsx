import { json } from "./cloakroom.ts";
import { Outcome } from "./Outcome.tsx";
import { useTask } from "./useTask.ts";

/** Payment calls a route that demands a stronger sign-in: the client asks for it, and makes the call again. */
export function Payment() {
  const task = useTask();
  const pay = () =>
    task.run(async (signal) => {
      const body = JSON.stringify({ to: "Coat shop", amount: 120 });
      await json("/api/payments", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
      return "Paid.";
    });
  return (
    <section>
      <h1>Pay 120 €</h1>
      <p>Payments need a stronger sign-in than the rest of the shop.</p>
      <button disabled={task.busy} onClick={pay}>Pay</button>
      <Outcome task={task} />
    </section>
  );
}
