import type { Connection, ConnectionState } from "../core/connection";
import { Emitter } from "../core/emitter";
import { VestibuleError } from "../core/errors";
import type { Part } from "../core/part";
import { AgentConnection } from "./connection";
import type { Accepted, AgentWelcome, SessionOffer, SignalOutcome, VisitorRecord } from "./frames";
import type { VisitorList } from "./list";
import type { ListQuery } from "./list-query";
import type { AgentEvents, AgentOptions, SendOptions } from "./options";
import type { SessionOptions, StartedSession } from "./sessions";
import { namesVisitor, type VisitorTarget, type Watch } from "./watch";

const eventNames = ["connected", "disconnected", "outage", "degraded", "outcome", "sessionoffer", "error"] as const;

/**
 * An agent of a group. Agents with the same server, group and token share one socket, which opens
 * with the first call that needs it and closes when the last of them has called `disconnect()`.
 *
 * Calls are rejected with a `VestibuleError`: the server's code, `timeout` after 10 s without an
 * answer, or `closed` after `disconnect()`.
 */
export class Agent {
  private held: AgentConnection | undefined;
  private readonly events = new Emitter<AgentEvents>();
  private removals: (() => void)[] = [];
  private readonly watches = new Set<Watch | VisitorList>();

  /** Opens nothing yet. */
  constructor(private readonly options: AgentOptions) {}

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof AgentEvents>(event: Name, handler: (data: AgentEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  get state(): ConnectionState {
    return this.held?.state ?? "idle";
  }

  /** Whether the server's last word was that what several nodes share is away: what is told may be old. `degraded` tells changes. */
  get degraded(): boolean {
    return this.held?.degraded ?? false;
  }

  /** Who the server took this agent for; undefined before the first welcome. */
  get session(): AgentWelcome | undefined {
    return this.held?.session;
  }

  /** Resolves when connected, however long that takes; rejected when the server refuses for good. */
  connect(): Promise<void> {
    return this.hold().connect();
  }

  /** For parts of the SDK that are loaded apart, such as `AgentChats`: they take part in this agent's connection. */
  attach(part: Part): Connection {
    return this.hold().attach(part);
  }

  /** Watches a visitor: the present state first, then each change, over all reconnects. */
  watch(visitor: VisitorTarget): Watch;
  /** Watches a live list of the group's visitors: the window first, then each change, over all reconnects. */
  watch(query: ListQuery): VisitorList;
  watch(what: VisitorTarget | ListQuery): Watch | VisitorList {
    const onClose = (): void => void this.watches.delete(watch);
    const watch: Watch | VisitorList = namesVisitor(what) ? this.hold().watch(what, onClose) : this.hold().list(what, onClose);
    this.watches.add(watch);
    return watch;
  }

  /** The visitor's record, or null when nobody is there. */
  lookup(visitor: VisitorTarget): Promise<VisitorRecord | null> {
    return this.hold().lookup(visitor);
  }

  /** Sends `data`, any JSON, to the visitor. Resolves when the service took it; see `outcome`. */
  signal(visitor: VisitorTarget, data: unknown, options?: SendOptions): Promise<Accepted> {
    return this.hold().signal(visitor, data, options);
  }

  /** Calls a function of the visitor's page. Rejected with `forbiddenfunction` for a name that is not allowed. */
  invoke(visitor: VisitorTarget, func: string, args?: unknown, options?: SendOptions): Promise<Accepted> {
    return this.hold().invoke(visitor, func, args, options);
  }

  /**
   * Takes a visitor's wish for help, as a list's row or `helprequest` names it. Rejected with `taken` when another agent has
   * it, and with `notfound` when the visitor does not ask any more. Needs the scope `session`.
   */
  claimHelp(visitorid: string, help: string): Promise<void> {
    return this.hold().answerHelp("claimhelp", visitorid, help);
  }

  /** Tells the visitor that nobody comes. Rejected like a claim. */
  declineHelp(visitorid: string, help: string): Promise<void> {
    return this.hold().answerHelp("declinehelp", visitorid, help);
  }

  /** Begins a co-browse session with the visitor, who is asked first; or joins the one that he has. Needs the scope `session`. */
  startSession(visitor: VisitorTarget, options?: SessionOptions): Promise<StartedSession> {
    return this.hold().startSession(visitor, options);
  }

  /** Takes a seat in a session that runs, as in one that `sessionoffer` told of. */
  joinSession(session: string): Promise<StartedSession> {
    return this.hold().joinSession(session);
  }

  /**
   * The code that leads agents to a session that runs, for as long as it does: the one that it has, or a fresh one with so many digits, 4 to 12.
   * An offer in a chat has nine.
   */
  sessionCode(session: string, digits?: number): Promise<string> {
    return this.hold().sessionCode(session, digits);
  }

  /** The seats that other agents have handed to this one and that wait for him; `sessionoffer` tells of further ones. */
  offers(): Promise<SessionOffer[]> {
    return this.hold().offers();
  }

  /** Ends a session for everybody. */
  endSession(session: string): Promise<void> {
    return this.hold().endSession(session);
  }

  /** How the signal `id` of this agent ended; waits while it is held, at most a minute. */
  outcome(id: string): Promise<SignalOutcome> {
    return this.held?.outcome(id) ?? Promise.reject(new VestibuleError("notfound", "no such signal of this agent"));
  }

  /** Says that the token function has a fresh token; the socket goes on under it. */
  async renewToken(): Promise<void> {
    await this.held?.renewToken();
  }

  /** Ends this agent's watches and its share of the socket. */
  disconnect(): void {
    for (const watch of [...this.watches]) watch.close();
    const { held } = this;
    this.held = undefined;
    held?.release();
    for (const remove of this.removals.splice(0)) remove();
  }

  private hold(): AgentConnection {
    if (!this.held) {
      const held = AgentConnection.share(this.options);
      this.held = held;
      this.removals = eventNames.map((name) => held.on(name, (data) => this.events.emit(name, data)));
    }
    return this.held;
  }
}
