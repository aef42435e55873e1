/** Ids of signals that this tab has seen, so that a page's handler sees each signal once. */

import type { Store } from "./storage";

interface Entry {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Whether the server is known to have the acknowledgement. */
  confirmed: boolean;
}

const MOST = 256;
const KEPT_MS = 300_000;
/** The server remembers acknowledged ids no longer; later there is nothing to tell it. */
const TOLD_MS = 60_000;

/**
 * Reads the store at each call: two SDK objects in one page share a tab. An acknowledgement may be
 * lost with its socket, so an id counts as unacknowledged until the server has answered the `ack`
 * that named it, or has welcomed a `hello` that told it, or a minute has gone.
 */
export class SeenSignals {
  constructor(
    private readonly store: Store,
    private readonly name: string,
    private readonly now: () => number,
  ) {}

  /** Marks the id; false when this tab has seen it before. Call before running the handler. */
  mark(id: string): boolean {
    const entries = this.read();
    if (entries.some((entry) => entry.id === id)) return false;
    this.write([...entries, { id, at: this.now(), confirmed: false }]);
    return true;
  }

  /** The server has the acknowledgement of these ids. */
  confirm(ids: readonly string[]): void {
    if (!ids.length) return;
    const entries = this.read();
    for (const entry of entries) entry.confirmed ||= ids.includes(entry.id);
    this.write(entries);
  }

  /** The newest ids, at most `most`, that the server may not know to be seen. */
  unacknowledged(most: number): string[] {
    const since = this.now() - TOLD_MS;
    const open = this.read().filter((entry) => !entry.confirmed && entry.at > since);
    return open.slice(-most).map((entry) => entry.id);
  }

  private read(): Entry[] {
    try {
      const rows = JSON.parse(this.store.read(this.name) ?? "[]") as [string, number, number][];
      const since = this.now() - KEPT_MS;
      return rows.filter((row) => row[1] > since).map(([id, at, confirmed]) => ({ id, at, confirmed: !!confirmed }));
    } catch {
      return [];
    }
  }

  private write(entries: Entry[]): void {
    const rows = entries.slice(-MOST).map((entry) => [entry.id, entry.at, entry.confirmed ? 1 : 0]);
    this.store.write(this.name, JSON.stringify(rows));
  }
}
