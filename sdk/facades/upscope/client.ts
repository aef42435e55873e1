/** The page's visitor: anonymous to the service, and known by what the page tells of him. */

import { VestibuleError } from "../../core/errors";
import { pageIdentity } from "../../core/identity";
import { Emitter } from "../../core/emitter";
import { Visitor } from "../../visitor/visitor";
import type { SessionNews } from "../../cobrowse/frames";
import { IDLE_SECONDS, merged, NAMES, presenceOf, sharingOf, type Config, type Identification } from "./config";
import { Idleness } from "./idle";
import { LookupDisplay } from "./lookup";
import { Observers } from "./observers";

/** The events that a page may listen to; the table in `docs/compatibility.md` has the same. */
export const EVENTS = [
  "connection",
  "connectionReset",
  "sessionRequest",
  "sessionStart",
  "sessionContinue",
  "sessionEnd",
  "agentRequestUpdate",
  "newObserver",
  "observerUpdate",
  "observerGone",
  "observersCount",
] as const;

export type EventName = (typeof EVENTS)[number];
export type Listener = (...told: unknown[]) => void;

export class Client {
  private readonly events = new Emitter<Record<EventName, readonly unknown[]>>();
  private visitor: Visitor | undefined;
  private observers = new Observers();
  private who: Identification = {};
  private isShown = false;
  private continued = false;
  private idleness: Idleness | undefined;
  private display: LookupDisplay | undefined;

  constructor(
    private readonly page: Window,
    private readonly server: string,
    private config: Config,
  ) {}

  on(event: EventName, listener: Listener): void {
    this.events.on(event, (told) => listener(...told));
  }

  /** May be repeated, on a page that changes. */
  init(config: unknown): void {
    const before = this.config.lookupCodeElement;
    this.config = merged(this.config, config);
    if (this.config.apiKey === undefined) throw new VestibuleError("group", "the configuration has no apiKey");
    this.identify(this.config);
    if (this.config.autoconnect ?? true) this.connect();
    const { lookupCodeElement } = this.config;
    if (!lookupCodeElement || lookupCodeElement === before) return;
    this.display?.stop();
    this.display = undefined;
    try {
      this.display = new LookupDisplay(this.page, lookupCodeElement, () => (this.visitor?.state === "connected" ? this.visitor.lookupCode() : undefined));
    } catch {
      warn({ message: "lookupCodeElement is no selector" });
    }
  }

  /** He logged in or out, or more is known of him. */
  identify(who: Identification): void {
    const given = NAMES.filter((name) => who[name] !== undefined);
    if (!given.length) return;
    const known = Object.fromEntries(given.map((name) => [name, who[name]]));
    this.who = { ...this.who, ...known };
    if (this.visitor && this.visitor.state !== "idle") this.tell(known);
  }

  connect(): void {
    const visitor = this.present();
    visitor.connect().catch(warn);
    this.tell(this.who);
    this.idleness ??= new Idleness(this.page, () => 1_000 * (this.config.disconnectAfterSeconds ?? IDLE_SECONDS), (idle) => this.idled(idle));
  }

  /** Whoever is here from now on is somebody else. */
  reset(reopen: boolean): void {
    const group = this.group;
    const former = this.present().visitorid;
    this.visitor?.disconnect();
    this.visitor = undefined;
    this.display?.forget();
    pageIdentity().forgetAnonymous(group, former);
    this.who = {};
    this.emit("connectionReset");
    if (reopen) this.connect();
  }

  stopSession(): void {
    this.visitor?.endSession().catch(() => {
      // There was none.
    });
  }

  /** To the agents who view; nobody hears it while nobody does. */
  say(message: unknown): void {
    this.visitor?.message(message).catch(warn);
  }

  /** Asks for an agent, until one comes, nobody can, or he wants none any more. */
  requestAgent(): void {
    this.present().askHelp().catch(warn);
  }

  cancelAgentRequest(): void {
    this.visitor?.cancelHelp().catch(warn);
  }

  get shortId(): string {
    return this.present().visitorid;
  }

  /** Where an agent who is signed in sees the visitor. */
  get watchLink(): string {
    return `${this.server}/cobrowse?id=${encodeURIComponent(this.shortId)}`;
  }

  async lookupCode(): Promise<string> {
    return (await this.present().lookupCode()).uniqueid;
  }

  private get group(): string {
    return String(this.config.apiKey ?? "");
  }

  private present(): Visitor {
    if (this.visitor) return this.visitor;
    const visitor = new Visitor({ server: this.server, group: this.group, page: this.page, sharing: sharingOf(this.page, () => this.config) });
    visitor.on("connected", () => {
      this.display?.connected();
      this.emit("connection");
      this.config.onConnection?.();
    });
    visitor.on("error", warn);
    // The core has the same words for it.
    visitor.on("help", ({ status }) => this.emit("agentRequestUpdate", status));
    visitor.on("sessionstart", ({ continued }) => {
      this.continued = continued;
      this.isShown = false;
    });
    visitor.on("sessionevent", (news) => this.happened(news));
    visitor.on("sessionend", () => this.ended());
    return (this.visitor = visitor);
  }

  private tell(who: Identification): void {
    this.visitor?.presence(presenceOf(who)).catch(warn);
  }

  private happened(news: SessionNews): void {
    for (const { event, call } of this.observers.follow(news.members)) this.emit(event, ...call);
    if (news.what === "consent" && news.to === "view" && news.state === "asked") {
      this.emit("sessionRequest", news.members.find(({ role }) => role === "agent")?.name || null);
    }
    if (news.what === "view" && news.state === "on" && !this.isShown) {
      this.isShown = true;
      this.emit(this.continued ? "sessionContinue" : "sessionStart");
      (this.continued ? this.config.onSessionContinue : this.config.onSessionStart)?.();
    }
  }

  private ended(): void {
    for (const { event, call } of this.observers.follow([])) this.emit(event, ...call);
    // What nobody saw did not start, and so does not end.
    if (!this.isShown) return;
    this.isShown = false;
    this.emit("sessionEnd");
    this.config.onSessionEnd?.();
  }

  /** A visitor who does nothing is let go, but not out of a session. */
  private idled(idle: boolean): void {
    if (!idle) this.connect();
    else if (!this.visitor?.session) this.visitor?.disconnect();
  }

  private emit(event: EventName, ...told: unknown[]): void {
    this.events.emit(event, told);
  }
}

/** Tells whoever wrote the page what went wrong. */
export function warn({ message }: { readonly message: string }): void {
  console.warn(`Upscope: ${message}`);
}
