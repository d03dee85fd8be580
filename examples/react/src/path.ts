import { type MouseEvent, useSyncExternalStore } from "react";

const moved = new EventTarget();

function subscribe(changed: () => void) {
  addEventListener("popstate", changed);
  moved.addEventListener("moved", changed);
  return () => {
    removeEventListener("popstate", changed);
    moved.removeEventListener("moved", changed);
  };
}

/** usePath returns the path of the address, and what makes a link go there without a load. */
export function usePath(): [path: string, go: (event: MouseEvent<HTMLAnchorElement>) => void] {
  const path = useSyncExternalStore(subscribe, () => location.pathname);
  return [
    path,
    (event) => {
      if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState(null, "", event.currentTarget.href);
      moved.dispatchEvent(new Event("moved"));
    },
  ];
}
