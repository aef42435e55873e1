import { Emitter } from "../core/emitter";
import type { VestibuleError } from "../core/errors";
import type { RowsFrame } from "./frames";
import type { ListQuery } from "./list-query";
import { applyRows, emptyList, type ListState } from "./list-view";

export interface ListEvents {
  /** The list as it is now; told when the window is whole, at most a few times a second. */
  change: ListState;
  /** The server refused the query, or to go on. */
  error: VestibuleError;
}

/** A live list of the group's connected visitors. Goes on over reconnects; ends with `close()`. */
export class VisitorList {
  /** Resolves when the first window is whole; rejected when the server refused the query. */
  readonly ready: Promise<void>;
  private readonly events = new Emitter<ListEvents>();
  private settle!: { resolve(): void; reject(error: VestibuleError): void };
  private known = emptyList;
  private incoming = emptyList;

  constructor(
    private asked: ListQuery,
    private readonly ask: () => void,
    /** Ends the list. */
    readonly close: () => void,
  ) {
    this.ready = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // Who does not ask for `ready` hears of a refusal by the `error` event.
    this.ready.catch(() => {});
  }

  /** The list as it was last told. */
  get state(): ListState {
    return this.known;
  }

  /** What it shows. */
  get query(): ListQuery {
    return this.asked;
  }

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof ListEvents>(event: Name, handler: (data: ListEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  /** Shows something else: another part, order or filter. `state` stays until the new window has come. A refusal ends the list. */
  show(query: ListQuery): void {
    this.asked = query;
    this.ask();
  }

  /** For the connection: takes a change in. */
  take(frame: RowsFrame): void {
    this.incoming = applyRows(this.incoming, frame);
    // A window that is not whole yet is a beginning that nobody needs to see.
    if (this.incoming.more) return;
    this.known = this.incoming;
    this.settle.resolve();
    this.events.emit("change", this.known);
  }

  /** For the connection: the server refused. */
  fail(error: VestibuleError): void {
    this.settle.reject(error);
    this.events.emit("error", error);
  }
}
