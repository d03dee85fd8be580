import { CloakroomError } from "@cloakroom/client";
import { useRef, useState } from "react";

import { cloakroom } from "./cloakroom.ts";

/** A call that a button makes, and what became of it. */
export interface Task {
  busy: boolean;
  message: string;
  failed: boolean;
  run(work: (signal: AbortSignal) => Promise<string>): void;
  /** Opens the window for the sign-in once more: nobody can see that the user has closed it. */
  reopen(): void;
  /** Gives the call up, and the sign-in that it waits for. */
  cancel(): void;
}

/** useTask runs one call at a time and turns what went wrong into a sentence. */
export function useTask(): Task {
  const [state, setState] = useState({ busy: false, message: "", failed: false });
  const running = useRef<AbortController>(null);
  return {
    ...state,
    run(work) {
      const controller = (running.current = new AbortController());
      setState({ busy: true, message: "", failed: false });
      work(controller.signal).then(
        (message) => setState({ busy: false, message, failed: false }),
        (error: unknown) => setState({ busy: false, message: controller.signal.aborted ? "Cancelled." : sentence(error), failed: true }),
      );
    },
    reopen: () => void cloakroom.login({ popup: true, signal: running.current?.signal }).catch(() => {}),
    cancel: () => running.current?.abort(),
  };
}

function sentence(error: unknown): string {
  if (error instanceof CloakroomError) {
    if (error.code === "signed_out") return "Not done: nobody signed in.";
    if (error.code === "step_up_required") return "Not done: it needs a stronger sign-in.";
    return error.reference ? `${error.title} (reference ${error.reference})` : error.title;
  }
  return error instanceof TypeError ? "The server does not answer." : String(error instanceof Error ? error.message : error);
}
