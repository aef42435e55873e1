import { Emitter } from "../core/emitter";
import type { VestibuleError } from "../core/errors";
import type { EventPosition, VisitorEvent, VisitorEventData } from "./frames";
import { VisitorView } from "./view";

/** A visitor, by visitor id (also as plain text) or by unique id. */
export type VisitorTarget = string | { readonly visitorid: string } | { readonly uniqueid: string };

/** Whether this names one visitor; a live list's query does not. */
export function namesVisitor(what: object | string): what is VisitorTarget {
  return typeof what === "string" || "visitorid" in what || "uniqueid" in what;
}

/** The fields that name the target in a frame. */
export function targetFields(target: VisitorTarget): { visitorid: string } | { uniqueid: string } {
  return typeof target === "string" ? { visitorid: target } : target;
}

export interface WatchEvents extends VisitorEventData {
  /** Every event as it came, with its order and time; told before the event's own handlers. */
  event: VisitorEvent;
  /** The server refused to go on watching. */
  error: VestibuleError;
}

/** A handle on one watched visitor. Ends with `close()`. */
export class Watch {
  /** Resolves to the visitor's id when the server took the watch; rejected when it refused. */
  readonly ready: Promise<string>;
  private readonly events = new Emitter<WatchEvents>();
  private settle!: { resolve(visitorid: string): void; reject(error: VestibuleError): void };

  constructor(
    /** Stops the events of this handle. */
    readonly close: () => void,
  ) {
    this.ready = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // Who does not ask for `ready` hears of a refusal by the `error` event.
    this.ready.catch(() => {});
  }

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof WatchEvents>(event: Name, handler: (data: WatchEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  /** For the connection: tells the handlers. */
  tell(event: VisitorEvent): void {
    this.events.emit("event", event);
    this.events.emit(event.type, event.data as never);
  }

  /** For the connection: the server took the watch. */
  taken(visitorid: string): void {
    this.settle.resolve(visitorid);
  }

  /** For the connection: the server refused the watch. */
  fail(error: VestibuleError): void {
    this.settle.reject(error);
    this.events.emit("error", error);
  }
}

/** A visitor that is watched on one socket, however many handles look at him. */
export class WatchedVisitor {
  readonly watches = new Set<Watch>();
  private isTaken = false;

  constructor(
    readonly visitorid: string,
    readonly view = new VisitorView(),
  ) {}

  /** The last event that is known, for who watches again; nothing the first time. */
  get since(): EventPosition | undefined {
    return this.isTaken ? this.view.position : undefined;
  }

  /** Adds a handle and tells it, and nobody else, the present state as far as it is known. */
  add(watch: Watch): void {
    this.watches.add(watch);
    if (this.isTaken) watch.taken(this.visitorid);
    const { connection, sockets } = this.view;
    const event = { visitorid: this.visitorid, present: true };
    if (connection) watch.tell({ ...event, type: "visitorconn", data: connection });
    if (sockets) watch.tell({ ...event, type: "visitorsock", data: sockets });
  }

  taken(): void {
    this.isTaken = true;
    for (const watch of this.watches) watch.taken(this.visitorid);
  }

  take(event: VisitorEvent): void {
    if (!this.view.accept(event)) return;
    for (const watch of [...this.watches]) watch.tell(event);
  }

  fail(error: VestibuleError): void {
    for (const watch of [...this.watches]) watch.fail(error);
  }
}
