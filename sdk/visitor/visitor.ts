import { serverOrigin, socketAddress } from "../core/address";
import type { Ending } from "../core/codes";
import { Connection, type ConnectionState } from "../core/connection";
import { Emitter } from "../core/emitter";
import { browserEnvironment, type Environment } from "../core/environment";
import { codeOf, isMistake, VestibuleError } from "../core/errors";
import type { ClientFrame, Frame, HelpNews, SessionEndReason, TermsStatus, VisitorProblem } from "../core/frames";
import { pageIdentity, type Identity } from "../core/identity";
import { currentPage } from "../core/lifecycle";
import { checkVisitorId, type PresenceData } from "../core/limits";
import type { Part } from "../core/part";
import { SeenSignals } from "../core/seen";
import { Attendance } from "./attendance";
import type { HelpAnswer, SessionAnswer, UniqueAnswer, UniqueId, VisitorFrame, VisitorWelcome } from "./frames";
import { Inbox } from "./inbox";
import { Incoming } from "./incoming";
import type { SessionWish, VisitorEvents, VisitorOptions } from "./options";
import { VisitorName } from "./name";
import { PresenceRecord } from "./record";
import { Reports } from "./reports";
import { Session } from "./session";
import { Telling } from "./telling";

/**
 * A visitor of a web site, as one page of it.
 *
 * Promises wait as long as the network is away; they are rejected with a `VestibuleError` when the
 * server refuses, and with `closed` by `disconnect()`.
 */
export class Visitor {
  private readonly events = new Emitter<VisitorEvents>();
  private readonly environment: Environment;
  private readonly page: Window | undefined;
  private readonly identity: Identity;
  private readonly name: VisitorName;
  /** Server and group: pages of one tab are told apart there. */
  private readonly place: string;
  private slot = 0;
  private readonly connection: Connection;
  private readonly inbox: Inbox;
  private readonly incoming: Incoming;
  private readonly record: PresenceRecord;
  private readonly telling: Telling;
  private readonly reports: Reports;
  private readonly sharing: Session | undefined;
  private wantsSignals = false;
  private attendance: Attendance | undefined;
  private listening = false;
  private unique: UniqueId | undefined;
  private ticket: string | undefined;
  private before: ConnectionState = "idle";

  /** Opens nothing yet. Throws `badrequest` for a visitor id that breaks the rule. */
  constructor(private readonly options: VisitorOptions) {
    if (options.visitorid !== undefined) checkVisitorId(options.visitorid);
    this.environment = options.environment ?? browserEnvironment;
    this.page = options.page ?? currentPage();
    this.identity = options.identity ?? pageIdentity();
    const group = String(options.group);
    this.name = new VisitorName(this.identity, group, options);
    this.record = new PresenceRecord(this.page, options.place);
    const { clock } = this.environment;
    const seen = new SeenSignals(this.identity.stores.tab, this.identity.key("seen"), () => clock.now());
    this.inbox = new Inbox(seen, clock, (ids) => this.connection.request({ type: "ack", ids }));
    this.incoming = new Incoming(this.inbox, this.events, this.page ?? globalThis, (frame) => this.reports.say(frame));
    const origin = serverOrigin(options.server);
    this.place = `${origin} ${group}`;
    this.connection = new Connection({
      environment: this.environment,
      url: () => {
        // Before the socket is open: meanwhile the page may open another tab.
        this.identity.claim();
        return socketAddress(origin, "/v1/visitor", group) + (options.ticket ? "&frame=1" : "");
      },
      active: () => this.attendance?.active ?? true,
      ...((typeof options.signature === "function" || options.ticket) && { prepare: () => this.prepare() }),
      hello: () => this.hello(),
      onWelcome: (frame) => this.welcomed(frame as VisitorWelcome),
      onFrame: (frame) => {
        if (!this.sharing?.receive(frame)) this.incoming.receive(frame as VisitorFrame);
      },
      onState: (state, ending) => this.stateChanged(state, ending),
    });
    this.telling = new Telling(this.record, this.connection, clock, (error) => this.fail(error));
    this.reports = new Reports(this.connection, clock, (error) => this.fail(error));
    if (this.page) {
      this.sharing = new Session({
        page: this.page,
        environment: this.environment,
        origin,
        group,
        tab: () => this.tab,
        connection: this.connection,
        events: this.events,
        sharing: options.sharing ?? {},
        join: options.guest,
        problem: (code, msg) => this.reportError({ code, msg }),
      });
    }
  }

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof VisitorEvents>(event: Name, handler: (data: VisitorEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** Whether the server's last answer was marked: what several nodes share is away, and what is told may be old. */
  get degraded(): boolean {
    return this.connection.degraded;
  }

  /** The id that the visitor goes by; an anonymous one begins with `~`. */
  get visitorid(): string {
    return this.name.id;
  }

  /** Whether this page gets the visitor's signals. */
  get focused(): boolean {
    return this.incoming.focused;
  }

  /** Listens for signals; resolves when the server knows, however long it is away. */
  async connect(): Promise<void> {
    this.wantsSignals = true;
    await this.whenConnected();
    await this.listen();
  }

  /**
   * Merges `data` into the visitor's record and reports the page now, and again whenever it changes.
   * Without `connect()` the visitor is present but gets no signals. Rejected with `badrequest` or
   * `toolarge`, naming the field, when a limit is passed; nothing is merged then. Refused for another reason, as `unready`,
   * it stays merged, and is told when the server can take it.
   */
  async presence(data: PresenceData = {}): Promise<void> {
    const { record, telling } = this;
    const isEnough = record.isComplete;
    const takeBack = record.merge(data);
    telling.isWanted = true;
    const connected = this.state === "connected";
    try {
      await this.whenConnected();
      // The hello carried it, unless it was on its way already.
      if (connected || !record.isComplete) await telling.tell(connected && isEnough ? data : undefined);
    } catch (error) {
      if (isMistake(error as VestibuleError)) takeBack();
      throw error;
    }
  }

  /** Asks for a unique id and listens for signals; an agent reaches the visitor by that id. */
  async connectUnique({ data }: { readonly data?: PresenceData } = {}): Promise<UniqueId> {
    if (data) {
      this.record.merge(data);
      this.telling.isWanted = true;
    }
    await this.connect();
    if (!this.record.isComplete && data) await this.telling.tell();
    return this.askUnique("unique");
  }

  /** Gives the unique id its whole life again; rejected with `badrequest` when there is none. */
  async extendUnique(): Promise<UniqueId> {
    if (!this.unique) throw new VestibuleError("badrequest", "there is no unique id");
    return this.askUnique("extendunique");
  }

  /** A short code for an hour, by which agents find the visitor; the living one where there is one. */
  async lookupCode(): Promise<UniqueId> {
    await this.whenConnected();
    return this.askCode({ type: "unique", lookup: true });
  }

  /**
   * Goes on under another visitor id, on this and each later connection of the object. Where the
   * option `signature` is a function, it is asked when none is given.
   */
  async identify(visitorid: string, signature?: string): Promise<void> {
    checkVisitorId(visitorid);
    const takeBack = await this.name.choose(visitorid, signature);
    if (this.state === "idle" || this.state === "closed") return;
    try {
      await this.connection.persist(async () => {
        const change = this.name.change();
        if (!change) return;
        await this.connection.request({ type: "identify", ...change });
        this.name.told();
      });
    } catch (error) {
      if (this.state === "connected" && codeOf(error, "timeout") !== "timeout") takeBack();
      throw error;
    }
  }

  /** For parts of the SDK that are loaded apart, such as `VisitorChat`: they take part in the visitor's connection. */
  attach(part: Part): Connection {
    this.connection.attach(part);
    return this.connection;
  }

  /** The co-browse session that this visitor is in. */
  get session(): string | undefined {
    return this.sharing?.id;
  }

  /**
   * Lets agents see the visitor's pages. Gives the session's id: the running one's, where there is one.
   */
  async startSession(wish: SessionWish = {}): Promise<string> {
    await this.whenConnected();
    const frame = { type: "startsession", ...wish };
    const { session } = await this.ask<SessionAnswer>(frame);
    this.sharing?.runs(session);
    return session;
  }

  /** Ends the session; this page is seen no more at once. `text` says why, for agents and for the history. */
  async endSession(text?: string): Promise<void> {
    this.sharing?.runs(undefined);
    await this.ask({ type: "endsession", text });
  }

  /** Says something to the agents who view this page: any JSON of at most 5,000 bytes. Rejected with `notfound` while nobody does. */
  async message(data: unknown): Promise<void> {
    await this.connection.request({ type: "message", data });
  }

  /** The visitor's wish for help, while it waits or an agent has it; `help` tells of each change. */
  get help(): HelpNews | undefined {
    return this.incoming.help;
  }

  /** Asks for an agent, in at most 500 bytes of words. A wish that waits already stays as it is. */
  async askHelp(text = ""): Promise<HelpNews> {
    await this.whenConnected();
    const news = await this.ask<HelpAnswer>({ type: "askhelp", text });
    this.incoming.helped(news);
    return news;
  }

  /** The visitor wants no help any more. */
  async cancelHelp(): Promise<void> {
    await this.ask({ type: "cancelhelp" });
  }

  /** Ends this page's presence at once and forgets its data. */
  disconnect(): void {
    this.wantsSignals = this.telling.isWanted = false;
    this.record.clear();
    this.unique = undefined;
    this.connection.stop({ type: "disconnect" });
  }

  /**
   * Reports what the visitor did with the terms. Nobody waits for a report: it is told when the server can take it, within a
   * minute. Beyond 48 without an answer the oldest that wait are dropped. One whose answer is lost with the connection is not told
   * again, as watchers may have heard it; but the terms are, unless the server knows that status.
   */
  reportTerms(status: TermsStatus): void {
    this.reports.say({ type: "terms", data: { status } }, status);
  }

  reportSessionStart(data?: PresenceData): void {
    this.reports.say({ type: "visitorsessionstart", ...(data && { data }) });
  }

  reportSessionEnd(reason: SessionEndReason): void {
    this.reports.say({ type: "visitorsessionend", data: { reason } });
  }

  reportError(problem: VisitorProblem): void {
    this.reports.say({ type: "visitorerror", data: problem });
  }

  /** Asks on this connection, or on the next one as long as connections are lost. */
  private ask<Answer extends Frame>(frame: ClientFrame): Promise<Answer> {
    return this.connection.persist(() => this.connection.request<Answer>(frame));
  }

  private async prepare(): Promise<void> {
    await this.name.sign();
    this.ticket = await this.options.ticket?.();
  }

  private hello(): ClientFrame {
    this.listening = this.wantsSignals;
    const seen = this.inbox.unacknowledged();
    return {
      type: "hello",
      ...this.name.hello(),
      ticket: this.ticket,
      tab: this.tab,
      page: this.identity.current,
      visible: this.attendance?.hello() ?? true,
      listen: this.listening,
      ...(seen.length && { seen }),
      ...(this.telling.isWanted && { data: this.record.whole() }),
    };
  }

  private get tab(): string {
    return this.slot ? `${this.identity.tab}-${this.slot}` : this.identity.tab;
  }

  private welcomed(frame: VisitorWelcome): void {
    this.name.taken();
    this.inbox.welcomed(frame.now);
    this.incoming.focus(frame.focus);
    this.events.emit("connected", { visitorid: frame.visitorid, epoch: frame.epoch, terms: frame.terms });
    this.incoming.helped(frame.help);
    this.sharing?.welcomed(frame.session);
    this.reports.welcomed(frame.terms);
    if (this.unique) this.askUnique("unique").catch(() => {});
  }

  private stateChanged(state: ConnectionState, ending?: Ending): void {
    const dropped = this.before === "connected";
    this.before = state;
    if (ending?.code === "superseded") this.identity.renewTab();
    const over = state === "closed" || state === "idle";
    if (over) this.finish();
    const leaves = over || state === "suspended";
    if (dropped || leaves) this.sharing?.away(leaves);
    if (over) this.sharing?.runs(undefined);
    if (dropped) {
      this.events.emit("disconnected", { code: ending?.code ?? state, retrying: state === "waiting" || state === "suspended" });
    }
    if (state !== "closed") return;
    this.unique = undefined;
    if (ending?.code === "uniqueexpired") this.events.emit("close", undefined);
    else this.events.emit("error", new VestibuleError(ending?.code ?? "connection", "the server ended the connection"));
  }

  /** Resolves when connected; starts the connection when there is none. */
  private whenConnected(): Promise<void> {
    this.begin();
    return this.connection.ready();
  }

  private begin(): void {
    if (this.state !== "idle" && this.state !== "closed") return;
    const { clock } = this.environment;
    this.slot = this.identity.takeSlot(this.place);
    this.attendance = new Attendance(this.page, clock, this.connection, this.options.updateMs ?? 60_000, () => this.telling.update());
    this.connection.start();
  }

  private finish(): void {
    if (this.attendance) this.identity.leaveSlot(this.place, this.slot);
    this.attendance?.end();
    this.attendance = undefined;
    this.telling.end();
    this.reports.end();
    this.incoming.focused = false;
    this.incoming.help = undefined;
  }

  private async listen(): Promise<void> {
    await this.connection.insist(async () => {
      if (this.listening) return;
      this.listening = true;
      try {
        await this.connection.request({ type: "listen" });
      } catch (error) {
        this.listening = false;
        throw error;
      }
    });
  }

  private async askCode(frame: ClientFrame): Promise<UniqueId> {
    const { uniqueid, seconds } = await this.ask<UniqueAnswer>(frame);
    return { uniqueid, seconds };
  }

  private async askUnique(type: "unique" | "extendunique"): Promise<UniqueId> {
    const news = await this.askCode({ type });
    const changed = this.unique?.uniqueid !== news.uniqueid;
    this.unique = news;
    if (changed) this.events.emit("uniqueid", news);
    return news;
  }

  /** Tells what nobody waits for; the end of a connection is told by itself. */
  private fail(error: VestibuleError): void {
    if (this.state !== "idle" && this.state !== "closed") this.events.emit("error", error);
  }
}
