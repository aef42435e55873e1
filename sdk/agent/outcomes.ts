/** How accepted signals ended, for those who ask. */

import type { Clock } from "../core/environment";
import { VestibuleError } from "../core/errors";
import type { Accepted, SignalOutcome } from "./frames";

interface Entry {
  readonly at: number;
  visitorid?: string;
  final?: SignalOutcome;
  /** Sent on an earlier socket, so that this one is not told how it ends. */
  missed?: boolean;
  readonly waiters: { resolve(outcome: SignalOutcome): void; reject(error: VestibuleError): void }[];
}

/** The server keeps outcomes no longer. */
const KEPT_MS = 60_000;
const MOST = 1000;
const ASK_MS = 1000;

export class Outcomes {
  private readonly entryById = new Map<string, Entry>();
  private asking = false;

  constructor(
    private readonly clock: Clock,
    /** Asks the server over REST; for outcomes that were told while there was no socket. */
    private readonly ask: (visitorid: string, id: string) => Promise<SignalOutcome>,
  ) {}

  accepted({ id, visitorid, outcome, error }: Accepted): void {
    this.entry(id).visitorid = visitorid;
    if (outcome !== "held") this.settle({ id, outcome, ...(error && { error }) });
  }

  settle(final: SignalOutcome): void {
    const entry = this.entry(final.id);
    if (entry.final) return;
    entry.final = final;
    for (const waiter of entry.waiters.splice(0)) waiter.resolve(final);
  }

  /** The final outcome; `timeout` when it is not known a minute after the signal, `notfound` for a strange id. */
  outcome(id: string): Promise<SignalOutcome> {
    this.forget();
    const entry = this.entryById.get(id);
    if (!entry) return Promise.reject(new VestibuleError("notfound", "no such signal of this agent"));
    if (entry.final) return Promise.resolve(entry.final);
    return new Promise((resolve, reject) => {
      entry.waiters.push({ resolve, reject });
      this.clock.after(entry.at + KEPT_MS - this.clock.now(), () => this.forget());
      this.askMissed();
    });
  }

  /** The socket is a new one: outcomes of earlier signals that someone waits for are asked for. */
  catchUp(): void {
    for (const entry of this.entryById.values()) entry.missed = true;
    this.askMissed();
  }

  private askMissed(): void {
    if (this.asking) return;
    this.forget();
    const open = [...this.entryById].filter(
      ([, { visitorid, final, missed, waiters }]) => visitorid && !final && missed && waiters.length,
    );
    if (!open.length) return;
    this.asking = true;
    const asked = open.map(async ([id, entry]) => {
      const answer = await this.ask(entry.visitorid as string, id);
      if (answer.outcome !== "held") this.settle(answer);
    });
    const again = (): void => {
      this.asking = false;
      this.askMissed();
    };
    void Promise.all(asked.map((answer) => answer.catch(() => {}))).then(() => this.clock.after(ASK_MS, again));
  }

  private entry(id: string): Entry {
    let entry = this.entryById.get(id);
    if (!entry) {
      this.forget();
      entry = { at: this.clock.now(), waiters: [] };
      this.entryById.set(id, entry);
    }
    return entry;
  }

  /** Entries are in order of time: the old and the surplus are at the front. */
  private forget(): void {
    const since = this.clock.now() - KEPT_MS;
    for (const [id, entry] of this.entryById) {
      if (entry.at > since && this.entryById.size <= MOST) return;
      this.entryById.delete(id);
      for (const waiter of entry.waiters) waiter.reject(new VestibuleError("timeout", "the outcome is not known"));
    }
  }
}
