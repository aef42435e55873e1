/** The visitor's chat in the frame: what its topics say and do, and when the frame shows itself. */

import { messageBytes, offer, offerDigits, type ChatMessage, type ChatView } from "../../../core/chat";
import { randomHex } from "../../../core/environment";
import { codeOf, VestibuleError } from "../../../core/errors";
import { byteLength } from "../../../core/limits";
import type { SessionWish } from "../../../visitor/options";
import { VisitorChat, type ChatVisitor } from "../../../visitor/chat";
import { topics } from "../topics";
import type { Frame } from "./frame";

const TYPING_MS = 5_000;

/** A message that is on its way. */
export interface Pending {
  readonly text: string;
  readonly key: number;
}

/** Tells how all buttons stand, on each connection. */
class WatchedChat extends VisitorChat {
  constructor(
    visitor: ChatVisitor,
    private readonly known: (enabled: ReadonlySet<string>) => void,
  ) {
    super(visitor);
  }

  override async watch(): Promise<ReadonlySet<string>> {
    const enabled = await super.watch();
    this.known(enabled);
    return enabled;
  }
}

export class Talk {
  readonly chat: VisitorChat;
  /** Messages that the visitor has not seen. */
  unread = 0;
  /** Who is typing, for a while. */
  typing: string | undefined;
  /** What went wrong last, by its code. */
  trouble: string | undefined;
  pending: readonly Pending[] = [];
  private invited: string | undefined;
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  /** The visitor offered to show the page: the code of the session that begins is said in the chat. */
  private isOffering = false;
  private isOpening = false;
  private count = 0;

  constructor(
    private readonly frame: Frame,
    private readonly draw: () => void,
  ) {
    const { visitor, tree } = frame;
    const chat = (this.chat = new WatchedChat(visitor, (enabled) => frame.send({ say: "buttons", enabled: [...enabled] })));
    chat.on("button", ({ button, enabled }) => frame.send({ say: "button", button, enabled }));
    chat.on("chat", (view) => this.stands(view));
    chat.on("message", (message) => this.heard(message));
    chat.on("typing", ({ name }) => this.types(name ?? ""));
    tree.on(topics.chat, (_topic, button) => void this.open(typeof button === "string" ? button : undefined));
    tree.on(topics.show, () => (this.unread = 0));
    visitor.on("sessionend", () => (this.isOffering = false));
    frame.onEntered = (code) => this.entered(code);
  }

  get view(): ChatView | undefined {
    return this.chat.view;
  }

  /** Whether he is in a chat, or could be. */
  get isLive(): boolean {
    return this.view !== undefined && this.view.status !== "ended";
  }

  /** Begins a chat, or shows the one that he has. */
  async open(button?: string): Promise<void> {
    this.isOpening = true;
    await this.attempt(async () => void (await this.chat.open(button)));
    this.isOpening = false;
    this.frame.tree.publish(topics.show);
  }

  /** Whether it was taken; else it may have been said all the same, and is said once under the same `id`. */
  async say(text: string, id = randomHex(16)): Promise<boolean> {
    const pending = { text, key: (this.count += 1) };
    this.pending = [...this.pending, pending];
    this.draw();
    const isTaken = await this.attempt(async () => {
      if (byteLength(text) > messageBytes) throw new VestibuleError("toolarge");
      await this.chat.say(text, id);
    });
    this.pending = this.pending.filter((other) => other !== pending);
    this.draw();
    return isTaken;
  }

  async answer(isAccepted: boolean): Promise<void> {
    await this.attempt(() => this.chat.answer(isAccepted));
    if (!isAccepted) this.hide();
  }

  async end(): Promise<void> {
    await this.attempt(() => this.chat.close());
  }

  hide(): void {
    this.trouble = undefined;
    this.frame.tree.publish(topics.hide);
  }

  /** The agent offered to look at the page; the click is the visitor's consent. */
  async share(): Promise<void> {
    await this.attempt(async () => void (await this.frame.visitor.startSession({ agreed: true })));
  }

  /** The visitor offers it: the agent gets the code of a session. */
  async offer(): Promise<void> {
    this.isOffering = true;
    const wish: SessionWish & { readonly digits: number } = { agreed: true, withcode: true, digits: offerDigits };
    const isBegun = await this.attempt(async () => void (await this.frame.visitor.startSession(wish)));
    if (!isBegun) this.isOffering = false;
  }

  private entered(code: string | undefined): void {
    if (!this.isOffering) return;
    this.isOffering = false;
    if (code?.length === offerDigits) return void this.say(offer(code));
    // One that had begun otherwise, which no offer leads to.
    this.trouble = "notoffered";
    this.draw();
  }

  /** How the chat stands is told on each page; what follows from it happens once. */
  private stands(view: ChatView | undefined): void {
    const { tree } = this.frame;
    const { layout } = this.frame;
    this.types(undefined);
    if (!this.isLive) this.isOffering = false;
    if (view?.status === "invited" && this.invited !== view.chat) {
      this.invited = view.chat;
      if (layout === "hidden") {
        tree.publish(topics.proactive, { name: view.agent?.name ?? "" });
        tree.publish(topics.show);
      }
    } else if (this.isLive && layout === "hidden" && !this.isOpening) {
      // Begun on another page of his.
      tree.publish(topics.minimize);
    } else if (view?.status === "ended" && layout !== "hidden") {
      // Else its last words stay to be read.
      const isHis = view.reason === "visitor" || view.reason === "declined";
      if (isHis || layout === "minimized") this.hide();
    }
    this.draw();
  }

  private heard({ from }: ChatMessage): void {
    if (from === "agent") this.types(undefined);
    if (from !== "visitor" && this.frame.layout !== "open") {
      this.unread += 1;
      if (this.frame.layout === "hidden") this.frame.tree.publish(topics.minimize);
    }
    this.draw();
  }

  private types(name: string | undefined): void {
    clearTimeout(this.typingTimer);
    this.typing = name;
    if (name !== undefined) this.typingTimer = setTimeout(() => this.types(undefined), TYPING_MS);
    this.draw();
  }

  /** Whether it worked; else the trouble says why not. */
  private async attempt(run: () => Promise<void>): Promise<boolean> {
    let trouble: string | undefined;
    this.trouble = undefined;
    try {
      await run();
    } catch (error) {
      this.trouble = trouble = codeOf(error, "internal");
    }
    this.draw();
    return trouble === undefined;
  }
}
