import { createContext, createElement, useContext, useMemo, useState, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";

import type { Client } from "./client.js";
import { createStore, loading, type SessionState, type Store } from "./store.js";
import type { Claims } from "./types.js";

export type { Expiring, SessionState } from "./store.js";

/** What `useSession()` returns: the state, and what can be done about it. */
export type UseSession<C extends object = Claims> = SessionState<C> &
  Pick<Client<C>, "login" | "logout" | "renew"> & {
    /** The client of the provider above, for everything else. */
    client: Client<C>;
  };

interface Value {
  client: Client<object>;
  store: Store<object>;
}

const Context = createContext<Value | null>(null);

/**
 * Makes one client's session known to all components below, which share one
 * subscription. Give it the same client on each render: one made outside of components.
 */
export function CloakroomProvider<C extends object>(props: { client: Client<C>; children?: ReactNode }): ReactElement {
  const [value, setValue] = useState<Value>(() => valueOf(props.client));
  if (value.client !== props.client) setValue(valueOf(props.client));
  return createElement(Context.Provider, { value }, props.children);
}

const valueOf = <C extends object>(client: Client<C>): Value => ({ client, store: createStore(client) });

/**
 * Returns who is signed in, and keeps the component in step with it. The status is
 * `loading` on a server, and in the browser until the first answer. Name the claims of your app with
 * `useSession<MyClaims>()`. Throws outside of a CloakroomProvider.
 */
export function useSession<C extends object = Claims>(): UseSession<C> {
  const value = useContext(Context);
  if (!value) throw new Error("useSession: there is no <CloakroomProvider client={…}> above this component");
  const { store } = value;
  const client = value.client as Client<C>;
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, () => loading) as SessionState<C>;
  return useMemo(() => ({ ...state, client, login: client.login, logout: client.logout, renew: client.renew }), [state, client]);
}
