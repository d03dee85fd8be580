import { useSession } from "@cloakroom/client/react";

import type { Task } from "./useTask.ts";

/** Outcome says what became of a call, also to those who can't see it, and lets go of one that waits. */
export function Outcome({ task }: { task: Task }) {
  const { status } = useSession();
  const waiting = task.busy && status === "signed-out";
  return (
    <div className="outcome">
      <p role="status" className={task.failed ? "bad" : undefined}>
        {waiting ? "Sign in in the window that has opened." : task.busy ? "…" : task.message}
      </p>
      {waiting && (
        <button type="button" onClick={task.reopen}>
          Open it again
        </button>
      )}
      {task.busy && (
        <button type="button" onClick={task.cancel}>
          Cancel
        </button>
      )}
    </div>
  );
}
