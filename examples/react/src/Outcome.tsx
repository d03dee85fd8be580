import type { Task } from "./useTask.ts";

/** Outcome says what became of a call, also to those who can't see it. */
export function Outcome({ task }: { task: Task }) {
  return (
    <p role="status" className={task.failed ? "outcome bad" : "outcome"}>
      {task.busy ? "…" : task.message}
    </p>
  );
}
