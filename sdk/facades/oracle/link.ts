/** Ties the machine to the visitor's connection: what the page wants goes there, what happens in the session comes back. */

import type { EndReason, Entrance, Member, SessionNews } from "../../cobrowse/frames";
import type { Clock, TimerHandle } from "../../core/environment";
import { codeOf } from "../../core/errors";
import type { Store } from "../../core/storage";
import type { SessionWish } from "../../visitor/options";
import type { Visitor } from "../../visitor/visitor";
import type { Events } from "./events";
import type { Agent, Input, Machine } from "./machine";
import { isActive, Reasons, States } from "./states";

/** Longest time from a start to a session. */
export const START_MS = 60_000;
/** How long an end waits for the server; the page is seen no more from its beginning on. */
export const STOP_MS = 5_000;
/** How long a lost connection is waited for, unless the server says otherwise. */
const LOST_MS = 60_000;
const KNOWN = "vestibule.launcher.agents";

export interface LinkOptions {
  readonly core: Pick<Visitor, "on" | "startSession" | "endSession" | "session" | "state">;
  readonly machine: Machine;
  readonly events: Events;
  readonly clock: Clock;
  /** Outlives a page change in the tab. */
  readonly store: Store;
  /** Something may have changed. */
  onChange(): void;
}

export interface Wish {
  readonly SID?: string | undefined;
  readonly reportingId?: string | undefined;
  /** Resolves to whether the visitor accepts what he must. */
  readonly agreed?: Promise<boolean> | undefined;
}

export class Link {
  /** Where the group's pages are. */
  origins: readonly string[] = [];
  /** Counts starts and stops: an answer to an earlier one is of no use. */
  private turn = 0;
  private starting: Promise<unknown> | undefined;
  private late: TimerHandle;
  private lost: TimerHandle;
  private lostMs = LOST_MS;
  private stopping = false;

  constructor(private readonly options: LinkOptions) {
    const { core, clock } = options;
    core.on("connected", () => {
      clock.cancel(this.lost);
      // The answer to the hello is dealt with by then.
      queueMicrotask(() => core.session ?? this.apply({ what: "vacant" }));
    });
    core.on("disconnected", ({ code, retrying }) => {
      // A page that is left, or frozen, finds out when it is back.
      if (retrying && code !== "suspended") this.lost = clock.after(this.lostMs, () => this.apply({ what: "over", reason: Reasons.network }));
    });
    core.on("sessionstart", ({ continued }) => continued || this.apply({ what: "starts" }));
    core.on("sessionentered", (entrance) => this.entered(entrance));
    core.on("sessionevent", (news) => this.happened(news));
    core.on("sessionend", () => {
      // An end that this page asked for is told when the server has heard of it. One without a word was come back to.
      if (!this.stopping) this.over(Reasons.network);
    });
    core.on("error", () => core.state === "closed" && this.apply({ what: "fails" }));
  }

  start({ SID, reportingId, agreed }: Wish): void {
    const { core, clock } = this.options;
    const turn = (this.turn += 1);
    this.apply({ what: "starts", SID });
    this.late = clock.after(START_MS, () => this.stop(undefined, Reasons.network));
    const starting = (async () => {
      try {
        const isAgreed = await (agreed ?? true);
        if (this.turn !== turn) return;
        if (!isAgreed) return this.over(Reasons.user);
        await this.begin({ agreed: true, withcode: !SID, reference: SID, reportingid: reportingId }, turn);
      } catch {
        return this.turn === turn && this.over(Reasons.refused);
      }
      // It was stopped meanwhile.
      if (this.turn !== turn) await core.endSession();
    })();
    this.starting = starting.catch(() => {});
  }

  /** Asks again when there was no answer, as long as it is wanted. */
  private async begin(wish: SessionWish, turn: number): Promise<void> {
    try {
      await this.options.core.startSession(wish);
    } catch (error) {
      if (codeOf(error, "") !== "timeout" || this.turn !== turn) throw error;
      await this.begin(wish, turn);
    }
  }

  /** Ends the session, or the start of one. `text` is the page's reason. */
  stop(text: string | undefined, otherwise: string = Reasons.user): void {
    const { core, clock } = this.options;
    const isStarting = this.options.machine.state === States.STARTING;
    this.turn += 1;
    this.stopping = true;
    this.apply({ what: "stops", reason: text ?? otherwise });
    const ended = isStarting && this.starting ? this.starting : core.endSession(text);
    let timer: TimerHandle;
    const limit = new Promise((resolve) => (timer = clock.after(STOP_MS, () => resolve(undefined))));
    const done = (): void => {
      clock.cancel(timer);
      this.over(otherwise);
    };
    Promise.race([ended, limit]).then(done, done);
  }

  private entered({ session, code, reference, origins, graceMs, members }: Entrance): void {
    const { store, clock } = this.options;
    clock.cancel(this.late);
    [this.origins, this.lostMs] = [origins, graceMs];
    const agents = agentsOf(session, members);
    this.apply({ what: "entered", accessCode: code, SID: reference, agents, known: read(store, session) });
    this.remember(session);
  }

  private happened(news: SessionNews): void {
    const { core, clock } = this.options;
    if (news.what === "ended") {
      const reason = reasonOf(news.reason);
      this.apply({ what: "stops", reason: (reason === Reasons.user && news.text) || reason });
      clock.cancel(this.late);
      this.late = clock.after(STOP_MS, () => this.over(reason));
    }
    const { session } = core;
    if (!session || !/^(?:joined|left|connection)$/.test(news.what)) return;
    this.apply({ what: "agents", agents: agentsOf(session, news.members) });
    this.remember(session);
  }

  private over(reason: string): void {
    this.options.clock.cancel(this.late);
    this.stopping = false;
    this.apply({ what: "over", reason });
    this.options.store.remove(KNOWN);
  }

  /** The next page of the tab tells nobody twice. */
  private remember(session: string): void {
    const { machine, store } = this.options;
    if (isActive(machine.state)) store.write(KNOWN, JSON.stringify({ session, agents: machine.agents }));
  }

  apply(input: Input): void {
    const { machine, events } = this.options;
    for (const told of machine.apply(input)) events.tell(told);
    this.options.onChange();
  }
}

function agentsOf(session: string, members: readonly Member[]): Agent[] {
  return members.filter(({ role }) => role === "agent").map(({ user, name, connected }) => ({ id: `${session}-${user}`, name, connected }));
}

function read(store: Store, session: string): readonly Agent[] | undefined {
  try {
    const kept = JSON.parse(store.read(KNOWN) ?? "null") as { session: string; agents: Agent[] } | null;
    return kept?.session === session ? kept.agents : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(reason: EndReason): string {
  switch (reason) {
    case "visitor":
    case "declined":
      return Reasons.user;
    case "neverjoined":
    case "usertimeout":
      return Reasons.waited;
    case "networktimeout":
      return Reasons.network;
    case "toolong":
      return Reasons.tooLong;
    default:
      return Reasons.agent;
  }
}
