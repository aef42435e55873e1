/** The frame: the visitor's presence, contact code, session and topics, for the page around it. */

import { browserEnvironment } from "../../../core/environment";
import { VestibuleError } from "../../../core/errors";
import { Identity, pageStores } from "../../../core/identity";
import type { Store } from "../../../core/storage";
import { Visitor } from "../../../visitor/visitor";
import type { Greeting, KeptName, Layout, Place, ToFrame, ToPage } from "../messages";
import { topics } from "../topics";
import { Contact, watched } from "./contact";
import type { Given } from "./facts";
import { Relay } from "./relay";
import { Tree, type ServerTopics } from "./tree";

const LAYOUTS: readonly (readonly [string, Layout])[] = [
  [topics.show, "open"],
  [topics.minimize, "minimized"],
  [topics.hide, "hidden"],
];

export class Frame {
  readonly tree: Tree;
  readonly visitor: Visitor;
  layout: Layout = "hidden";
  code: string | undefined;
  /** The page came into a session, which this code leads to. */
  onEntered: (code: string | undefined) => void = () => {};
  private readonly contact: Contact;
  private readonly relay: Relay;
  private readonly kept: Partial<Record<KeptName, string>>;
  private place: Place;
  /** The one that came with the document, until it is shown. */
  private ticket: string | undefined;
  /** Whether that is the one that was shown last: it grows old with the document. */
  private isTicketOld = false;
  /** The visitor's page ends the session, and waits for the server's word. */
  private isStopping = false;
  /** It ended the session before it was known here which that is. */
  private isStopWanted = false;

  constructor(
    page: Window,
    private readonly facts: Given,
    private readonly port: Pick<MessagePort, "postMessage" | "onmessage">,
    { place, kept }: Greeting,
    topicsOf: (visitor: Visitor) => ServerTopics,
    /** Something has changed that is to be seen. */
    private readonly draw: () => void = () => {},
  ) {
    this.place = place;
    this.kept = { ...kept };
    this.ticket = facts.ticket;
    this.relay = new Relay(
      (message) => this.send(message),
      (session) => this.started(session),
      (code) => this.onEntered(code),
    );
    this.visitor = new Visitor({
      server: page.location.origin,
      group: facts.group,
      page,
      identity: new Identity(page, { lasting: this.lasting(), tab: pageStores(page).tab }),
      environment: watched(() => this.contact.begins()),
      ticket: () => this.freshTicket(),
      place: () => ({ location: { href: this.place.url }, document: this.place }),
      guest: this.relay.join,
    });
    this.tree = new Tree(topicsOf(this.visitor), (message) => this.send(message));
    this.contact = new Contact(this.visitor, browserEnvironment.clock, {
      code: (code) => {
        this.code = code;
        this.send({ say: "code", code });
        this.draw();
      },
      failed: (reason, isFinal) => {
        // Refused may be the ticket alone: a fresh one tells.
        if (reason === "origin" && this.isTicketOld) return this.contact.begin();
        this.send({ say: "failed", reason, isFinal });
      },
    });
    this.visitor.on("sessionend", ({ session }) => this.stopped(session));
    this.visitor.on("connected", () => {
      queueMicrotask(() => this.compare());
    });
    this.visitor.on("error", (error) => console.warn("site_connect:", error.message));
    for (const [topic, layout] of LAYOUTS) this.tree.on(topic, () => this.arrange(layout));
    port.onmessage = ({ data }: MessageEvent<ToFrame>) => this.receive(page, data);
    this.arrange((this.kept.layout as Layout | undefined) ?? "hidden");
    this.contact.begin();
  }

  send(message: ToPage): void {
    this.port.postMessage(message);
  }

  private receive(page: Window, message: ToFrame): void {
    switch (message.say) {
      case "subscribe":
        return this.tree.subscribe(message.filter);
      case "unsubscribe":
        return this.tree.unsubscribe(message.filter);
      case "publish":
        return this.tree.said(message.topic, message.data);
      case "again":
        return this.contact.begin();
      case "place":
        this.place = message.place;
        // It begins no connection by itself: the next hello says it all.
        if (this.visitor.state === "connected") this.visitor.presence().catch(() => {});
        return;
      case "focus":
        // The SDK takes it for the window's own: the visitor is at this page.
        return void page.dispatchEvent(new Event("focus"));
      case "stop":
        return void this.stop();
      default:
        return this.relay.receive(message);
    }
  }

  private arrange(layout: Layout): void {
    this.layout = layout;
    this.keep("layout", layout === "hidden" ? undefined : layout);
    this.send({ say: "layout", layout });
    this.draw();
  }

  /** The server has said which session runs: one may have ended while no page, or another frame, was there. */
  private compare(): void {
    const { cobrowsing } = this.kept;
    const { session } = this.visitor;
    if (session === undefined) this.send({ say: "end" });
    if (cobrowsing !== undefined && cobrowsing !== session) this.stopped(cobrowsing);
    const { isStopWanted } = this;
    this.isStopWanted = false;
    if (isStopWanted) void this.stop();
  }

  private started(session: string): void {
    if (this.kept.cobrowsing === session) return;
    this.keep("cobrowsing", session);
    this.tree.publish(topics.start);
  }

  /** Once a session, and only of one that was seen to start. */
  private stopped(session: string): void {
    if (this.isStopping || this.kept.cobrowsing !== session) return;
    this.keep("cobrowsing", undefined);
    this.tree.publish(topics.stop);
  }

  /** Nothing of the page leaves it from now on, then the agents are told, then the page is. */
  private async stop(): Promise<void> {
    const { session, state } = this.visitor;
    if (session === undefined) {
      // Which one runs, if any, the next welcome says.
      this.isStopWanted = state !== "connected";
      return;
    }
    if (this.isStopping) return;
    this.isStopping = true;
    try {
      await this.visitor.endSession();
    } catch {
      // It was over already.
    } finally {
      this.isStopping = false;
      this.stopped(session);
    }
  }

  private keep(name: KeptName, value: string | undefined): void {
    if (this.kept[name] === value) return;
    this.kept[name] = value;
    this.send({ say: "keep", name, value });
  }

  /** The page's first-party storage, of which the frame may use one place. */
  private lasting(): Store {
    const own = `vestibule.anonymous.${this.facts.group}`;
    return {
      read: (name) => (name === own ? this.kept.anonymous : undefined),
      write: (name, value) => {
        if (name === own) this.keep("anonymous", value);
      },
      remove: (name) => {
        if (name === own) this.keep("anonymous", undefined);
      },
    };
  }

  private async freshTicket(): Promise<string> {
    const first = this.ticket;
    this.ticket = undefined;
    this.isTicketOld = first !== undefined;
    if (first !== undefined) return first;
    const lost = this.contact.begins();
    try {
      const answer = await fetch(`/site_connect/ticket?partner=${encodeURIComponent(this.facts.group)}`, { cache: "no-store" });
      if (answer.ok) return await answer.text();
      throw new VestibuleError(answer.status === 404 ? "group" : "unready");
    } catch (error) {
      lost(error instanceof VestibuleError ? error.code : "connection");
      throw error;
    }
  }
}
