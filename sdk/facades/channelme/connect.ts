/** One partner's connection of a page: frame, code, session, buttons. */

import { browserEnvironment } from "../../core/environment";
import { pageStores } from "../../core/identity";
import { watchAddress } from "../../visitor/changes";
import { Attempts } from "./attempts";
import type { Broker } from "./broker";
import { Buttons } from "./buttons";
import { FrameLink } from "./frame-link";
import { Kept } from "./kept";
import type { Place, ToFrame, ToPage } from "./messages";
import { PageSession } from "./page-session";
import { topics } from "./topics";

const { clock, random } = browserEnvironment;

const placeOf = ({ location, document }: Window): Place => ({ url: location.href, title: document.title, referrer: document.referrer });

export interface ConnectOptions {
  readonly page: Window;
  /** The server's origin. */
  readonly origin: string;
  /** The group, or nothing for the server's default. */
  readonly partner: string;
  /** Texts of the page's own, by key. */
  readonly words: Readonly<Record<string, unknown>> | undefined;
  readonly broker: Broker;
  warn(message: string): void;
  /** The code, whenever there is one. */
  shown(code: string): void;
}

export class Connect {
  readonly buttons: Buttons;
  private readonly link: FrameLink;
  private readonly session: PageSession;
  private readonly attempts: Attempts;
  private readonly endings: (() => void)[];
  private code: string | undefined;
  private isWanted = false;

  constructor(private readonly options: ConnectOptions) {
    const { page, origin, partner, broker, warn, words } = options;
    this.buttons = new Buttons(broker);
    const kept = new Kept(pageStores(page), partner);
    const address = new URL(`/site_connect/frame?partner=${encodeURIComponent(partner)}`, origin);
    this.link = new FrameLink({
      page,
      clock,
      address,
      greeting: () => ({ place: placeOf(page), kept: kept.all(), spoken: { language: page.document.documentElement.lang, words } }),
      connected: () => {
        this.session.lost();
        broker.connected();
      },
      receive: (message) => {
        if (message.say === "keep") kept.keep(message.name, message.value);
        else this.receive(message);
      },
      knocked: (group) => kept.belongTo(group),
      refused: () => this.attempts.failed("frame"),
      unsendable: (message) => warn(`cannot publish to ${(message as { topic?: string }).topic}: the message cannot be copied`),
    });
    this.session = new PageSession(page, origin, (message) => this.link.send(message));
    this.attempts = new Attempts(clock, random, {
      attempt: () => {
        if (this.link.isConnected) this.link.send({ say: "again" });
        else this.link.load();
      },
      retries: (reason) => broker.announce(topics.retry, { reason }, false),
      givesUp: (reason) => {
        warn(`no contact code: ${reason}`);
        broker.announce(topics.error, { reason }, false);
      },
    });
    const place = (): void => this.link.send({ say: "place", place: placeOf(page) });
    const focus = (): void => this.link.send({ say: "focus" });
    page.addEventListener("focus", focus);
    this.endings = [watchAddress(page, clock, place), () => page.removeEventListener("focus", focus)];
  }

  get partner(): string {
    return this.options.partner;
  }

  /** Begins; later it only mends what the page has changed since, and tries once more what was given up. */
  start(): void {
    this.link.keep();
    this.attempts.start();
    if (this.code !== undefined) this.options.shown(this.code);
  }

  send(message: ToFrame): void {
    // What the page opens, its visitor wants to be in.
    if (message.say === "publish" && (message.topic === topics.chat || message.topic === topics.show)) this.isWanted = true;
    this.link.send(message);
  }

  end(): void {
    this.attempts.stop();
    this.session.end();
    this.buttons.clear();
    this.link.remove();
    for (const end of this.endings) end();
    for (const topic of [topics.ready, topics.newCode]) this.options.broker.forget(topic);
  }

  private receive(message: ToPage): void {
    const { broker, warn } = this.options;
    switch (message.say) {
      case "subscribed":
        return broker.settled(message.filter, message.problem);
      case "message":
        return broker.arrived(message.filter, message.topic, message.data);
      case "refused":
        return warn(`cannot publish to ${message.topic}: ${message.problem}`);
      case "code":
        return this.got(message.code);
      case "failed":
        return this.attempts.failed(message.reason, message.isFinal);
      case "buttons":
        return this.buttons.all(message.enabled);
      case "button":
        return this.buttons.change(message.button, message.enabled);
      case "title":
        return this.link.name(message.title);
      case "layout":
        this.link.show(message.layout, this.isWanted);
        this.isWanted = false;
        return;
      default:
        return this.session.receive(message);
    }
  }

  private got(code: string): void {
    const { broker, shown } = this.options;
    const before = this.code;
    this.attempts.succeeded();
    if (code === before) return;
    this.code = code;
    shown(code);
    // Whoever comes late hears the code that is good now.
    if (before === undefined) return broker.announce(topics.ready, { code }, true);
    broker.retain(topics.ready, { code });
    broker.announce(topics.newCode, { code }, true);
  }
}
