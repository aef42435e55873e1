/** `Cobrowse.Events`: listeners by name, each called in a task of its own. */

import type { EventName, Payloads, Told } from "./states";

type Listener<Name extends EventName> = (event: Payloads[Name]) => void;

export interface EventSource<Name extends EventName> {
  /** Calls `callback` at each event from now on; once, however often it is added. */
  listen(callback: Listener<Name>): void;
  /** Calls it no more; an unknown one is passed over. */
  removeListener(callback: Listener<Name>): void;
}

export type EventSources = { readonly [Name in EventName]: EventSource<Name> };

const names: readonly EventName[] = [
  "SessionStarting",
  "SessionStarted",
  "SessionEnded",
  "AgentConnected",
  "AgentDisconnected",
  "StateChanged",
  "NavigatingAway",
];

export class Events {
  private readonly listenersByName = new Map<EventName, Set<(data: never) => void>>(names.map((name) => [name, new Set()]));
  /** What pages see. */
  readonly sources = Object.fromEntries(names.map((name) => [name, this.source(name)])) as EventSources;

  /** Tells listeners that are there now; what one of them throws is the page's own error, and stops nobody. */
  tell({ name, data }: Told): void {
    const listeners = this.listenersByName.get(name);
    for (const listener of listeners ?? []) {
      // Each gets an object of its own: what one changes, another does not see.
      setTimeout(() => listeners?.has(listener) && listener({ ...data } as never));
    }
  }

  private source(name: EventName): EventSource<EventName> {
    const listeners = this.listenersByName.get(name) as Set<(data: never) => void>;
    return {
      listen: (callback) => {
        if (typeof callback === "function") listeners.add(callback);
      },
      removeListener: (callback) => void listeners.delete(callback),
    };
  }
}
