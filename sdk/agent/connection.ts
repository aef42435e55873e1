import { serverOrigin, socketAddress } from "../core/address";
import type { Ending } from "../core/codes";
import { Connection, type ConnectionState } from "../core/connection";
import { Emitter } from "../core/emitter";
import { browserEnvironment, randomHex, type Environment, type TimerHandle } from "../core/environment";
import { VestibuleError } from "../core/errors";
import type { ClientFrame, DegradedFrame, ErrorFrame, Frame } from "../core/frames";
import { currentPage, Lifecycle } from "../core/lifecycle";
import { checkFunctionName } from "../core/limits";
import type { Part } from "../core/part";
import type {
  Accepted,
  AcceptedAnswer,
  AgentWelcome,
  LookupAnswer,
  OfferFrame,
  OutcomeFrame,
  RenewAnswer,
  RowsFrame,
  SessionOffer,
  SignalOutcome,
  VisitorEvent,
  VisitorRecord,
} from "./frames";
import type { VisitorList } from "./list";
import type { ListQuery } from "./list-query";
import { Lists } from "./lists";
import type { AgentEvents, AgentOptions, SendOptions } from "./options";
import { Outcomes } from "./outcomes";
import { callRest, type RestHost } from "./rest";
import { endSession, joinSession, sessionCode, startSession, waitingOffers, type SessionOptions, type StartedSession } from "./sessions";
import { TokenKeeper } from "./token";
import { targetFields, type Watch, type VisitorTarget } from "./watch";
import { Watches } from "./watches";

/**
 * One socket for all agent objects with the same server, group and token source, counted by
 * `share` and `release`. Most pages use `Agent` and never see this.
 */
export class AgentConnection {
  private static readonly shared: AgentConnection[] = [];

  private readonly events = new Emitter<AgentEvents>();
  private readonly environment: Environment;
  private readonly origin: string;
  private readonly group: string;
  private readonly connection: Connection;
  private readonly watches: Watches;
  private readonly lists: Lists;
  private readonly outcomes: Outcomes;
  private readonly token: TokenKeeper;
  private holders = 0;
  private lifecycle: Lifecycle | undefined;
  private outageTimer: TimerHandle;
  private away = false;
  private toldDegraded = false;
  /** Server's clock minus ours, in milliseconds. */
  private offsetMs = 0;
  private before: ConnectionState = "idle";
  private welcome: AgentWelcome | undefined;

  /** The connection for these options: the one that others hold, or a new one. Opens nothing yet. */
  static share(options: AgentOptions): AgentConnection {
    const made = new AgentConnection(options);
    const known = AgentConnection.shared.find(
      (other) =>
        other.origin === made.origin &&
        other.group === made.group &&
        other.options.token === options.token &&
        other.environment === made.environment,
    );
    const connection = known ?? made;
    if (!known) AgentConnection.shared.push(made);
    connection.holders += 1;
    return connection;
  }

  private constructor(private readonly options: AgentOptions) {
    this.environment = options.environment ?? browserEnvironment;
    const { clock } = this.environment;
    this.origin = serverOrigin(options.server);
    this.group = String(options.group);
    this.token = new TokenKeeper(options.token, clock, async (token) => {
      const { expires } = await this.connection.request<RenewAnswer>({ type: "renew", token });
      return this.onOurClock(expires);
    });
    this.connection = new Connection({
      environment: this.environment,
      url: () => socketAddress(this.origin, "/v1/agent", this.group),
      active: () => this.lifecycle?.active ?? true,
      renewable: this.token.renewable,
      prepare: (renew) => this.token.fetch(renew),
      hello: () => ({ type: "hello", token: this.token.current }),
      onWelcome: (frame) => this.welcomed(frame as AgentWelcome),
      onFrame: (frame) => this.receive(frame),
      onState: (state, ending) => this.stateChanged(state, ending),
    });
    this.watches = new Watches(this.connection);
    this.lists = new Lists(this.connection);
    this.outcomes = new Outcomes(clock, (visitorid, id) => this.askOutcome(visitorid, id));
  }

  on<Name extends keyof AgentEvents>(event: Name, handler: (data: AgentEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  get degraded(): boolean {
    return this.connection.degraded;
  }

  /** Who the server took this agent for; undefined before the first welcome. */
  get session(): AgentWelcome | undefined {
    return this.welcome;
  }

  attach(part: Part): Connection {
    this.connection.attach(part);
    return this.connection;
  }

  /** Gives up one share; the last one closes the socket. */
  release(): void {
    this.holders -= 1;
    if (this.holders > 0) return;
    AgentConnection.shared.splice(AgentConnection.shared.indexOf(this), 1);
    this.connection.stop({ type: "disconnect" });
  }

  /** Resolves when connected, however long that takes; rejected when the server refuses for good. */
  connect(): Promise<void> {
    if (this.state === "idle" || this.state === "closed") this.begin();
    return this.connection.ready();
  }

  /** `onClose` runs when the handle is closed. */
  watch(target: VisitorTarget, onClose?: () => void): Watch {
    this.connect().catch(() => {});
    return this.watches.open(target, onClose);
  }

  /** A live list; `onClose` runs when the handle is closed. */
  list(query: ListQuery, onClose?: () => void): VisitorList {
    this.connect().catch(() => {});
    return this.lists.open(query, onClose);
  }

  async lookup(target: VisitorTarget): Promise<VisitorRecord | null> {
    this.connect().catch(() => {});
    const frame = { type: "lookup", ...targetFields(target) };
    return (await this.connection.request<LookupAnswer>(frame, { repeat: true })).visitor;
  }

  signal(target: VisitorTarget, data: unknown, options?: SendOptions): Promise<Accepted> {
    return this.send({ type: "signal", ...targetFields(target), data }, options);
  }

  async invoke(target: VisitorTarget, func: string, args?: unknown, options?: SendOptions): Promise<Accepted> {
    checkFunctionName(func);
    return this.send({ type: "invoke", ...targetFields(target), func, ...(args !== undefined && { args }) }, options);
  }

  outcome(id: string): Promise<SignalOutcome> {
    return this.outcomes.outcome(id);
  }

  /** A session with the visitor. The token must be there, which a connection sees to. */
  async startSession(target: VisitorTarget, options?: SessionOptions): Promise<StartedSession> {
    await this.connect();
    return startSession(this.rest, target, options);
  }

  async joinSession(session: string): Promise<StartedSession> {
    await this.connect();
    return joinSession(this.rest, session);
  }

  async sessionCode(session: string, digits?: number): Promise<string> {
    await this.connect();
    return sessionCode(this.rest, session, digits);
  }

  async offers(): Promise<SessionOffer[]> {
    await this.connect();
    return waitingOffers(this.rest);
  }

  async endSession(session: string): Promise<void> {
    await this.connect();
    return endSession(this.rest, session);
  }

  async answerHelp(type: "claimhelp" | "declinehelp", visitorid: string, help: string): Promise<void> {
    this.connect().catch(() => {});
    // To claim what one has is no mistake, so it may be asked again on the next socket.
    await this.connection.request({ type, visitorid, help }, { repeat: true });
  }

  /** The token source has a fresh token: the socket goes on under it. */
  async renewToken(): Promise<void> {
    if (this.state === "connected") await this.token.attempt();
  }

  /** The idempotency key makes it safe to ask again on the next socket. */
  private async send(frame: ClientFrame, { target, key }: SendOptions = {}): Promise<Accepted> {
    this.connect().catch(() => {});
    const whole = { ...frame, ...(target && { target }), key: key ?? randomHex(16) };
    const answer = await this.connection.request<AcceptedAnswer>(whole, { repeat: true });
    const { id, visitorid, outcome, error } = answer;
    const accepted = { id, visitorid, outcome, ...(error && { error }) };
    this.outcomes.accepted(accepted);
    return accepted;
  }

  private begin(): void {
    // Renewing with the same token changes nothing, so it serves to test the socket.
    const wake = (): void => this.connection.wake({ type: "renew", token: this.token.current });
    this.lifecycle = new Lifecycle(this.options.page ?? currentPage(), {
      suspend: () => this.connection.suspend(),
      resume: () => this.connection.resume(),
      visibility: (visible) => {
        if (visible && this.state === "waiting") wake();
      },
      activity: () => {},
      wake,
    });
    this.connection.start();
  }

  private welcomed(frame: AgentWelcome): void {
    this.welcome = frame;
    this.offsetMs = frame.now - this.environment.clock.now();
    this.token.schedule(this.onOurClock(frame.expires));
    this.events.emit("connected", frame);
    this.watches.again();
    this.lists.again();
    this.outcomes.catchUp();
  }

  private receive(frame: Frame): void {
    if (frame.type === "signaloutcome") {
      const { data } = frame as OutcomeFrame;
      this.outcomes.settle(data);
      this.events.emit("outcome", data);
    } else if (frame.type === "sessionoffer") {
      const { visitorid, data } = frame as OfferFrame;
      this.events.emit("sessionoffer", { visitorid, ...data });
    } else if (frame.type === "degraded") {
      this.degrade((frame as DegradedFrame).degraded);
    } else if (frame.type === "error") {
      const { code, msg, field } = frame as ErrorFrame;
      this.events.emit("error", new VestibuleError(code, msg, field));
    } else if (frame.type === "rows") {
      this.lists.take(frame as RowsFrame);
    } else if ("visitorid" in frame) {
      this.watches.take(frame as VisitorEvent);
    }
  }

  private stateChanged(state: ConnectionState, ending?: Ending): void {
    const dropped = this.before === "connected";
    this.before = state;
    const over = state === "closed" || state === "idle";
    if (state !== "connected") this.token.cancel();
    // The next socket says how it is by then.
    if (dropped) this.degrade(false);
    this.watchOutage(over || state === "connected" || state === "suspended");
    if (over) {
      this.lifecycle?.dispose();
      this.lifecycle = undefined;
    }
    if (dropped) this.events.emit("disconnected", { code: ending?.code ?? state, retrying: !over });
    if (state !== "closed") return;
    const error = new VestibuleError(ending?.code ?? "closed", "the connection ended");
    this.watches.fail(error);
    this.lists.fail(error);
    this.events.emit("error", error);
  }

  private degrade(degraded: boolean): void {
    this.connection.requests.degraded = degraded;
    if (this.toldDegraded === degraded) return;
    this.toldDegraded = degraded;
    this.events.emit("degraded", degraded);
  }

  /** Tells an outage once, when it has lasted. */
  private watchOutage(ended: boolean): void {
    const { clock } = this.environment;
    if (ended) {
      clock.cancel(this.outageTimer);
      this.away = false;
    } else if (!this.away) {
      this.away = true;
      this.outageTimer = clock.after(this.options.outageMs ?? 15_000, () => this.events.emit("outage", undefined));
    }
  }

  private onOurClock(time: number): number {
    return time - this.offsetMs;
  }

  private askOutcome(visitorid: string, id: string): Promise<SignalOutcome> {
    return callRest(this.rest, "GET", ["visitors", visitorid, "signals", id]);
  }

  private get rest(): RestHost {
    return { origin: this.origin, group: this.group, token: this.token.current };
  }
}
