import { CloakroomError } from "@cloakroom/client";
import { useState } from "react";

/** A call that a button makes, and what became of it. */
export interface Task {
  busy: boolean;
  message: string;
  failed: boolean;
  run(work: () => Promise<string>): void;
}

/** useTask runs one call at a time and turns what went wrong into a sentence. */
export function useTask(): Task {
  const [state, setState] = useState({ busy: false, message: "", failed: false });
  return {
    ...state,
    run(work) {
      setState({ busy: true, message: "", failed: false });
      work().then(
        (message) => setState({ busy: false, message, failed: false }),
        (error: unknown) => setState({ busy: false, message: sentence(error), failed: true }),
      );
    },
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
