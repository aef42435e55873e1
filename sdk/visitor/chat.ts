import { withMessage, type ChatMessage, type ChatView } from "../core/chat";
import type { Connection } from "../core/connection";
import { Emitter } from "../core/emitter";
import { randomHex } from "../core/environment";
import type { Frame, OkFrame } from "../core/frames";
import type { Part } from "../core/part";

export interface VisitorChatEvents {
  /** A chat button is enabled from now on, or no more; also told of what changed while there was no connection. */
  button: { readonly button: string; readonly enabled: boolean };
  /** The visitor's chat began, or stands otherwise; once with `ended`. `undefined`: he is somebody else now, who has none. */
  chat: ChatView | undefined;
  /** Something was said in it, on whichever page. */
  message: ChatMessage;
  /** The agent is typing. */
  typing: { readonly name?: string };
}

/** What a chat needs of a `Visitor`. */
export interface ChatVisitor {
  attach(part: Part): Connection;
}

interface ButtonsAnswer extends OkFrame {
  readonly enabled: readonly string[];
}

interface ChatAnswer extends OkFrame {
  readonly chat: ChatView;
}

/** What was said, as the server took it. */
export interface Said {
  readonly n: number;
  readonly at: number;
}

interface SaidAnswer extends OkFrame, Said {}

type ChatFrame = Frame &
  (
    | { readonly type: "button"; readonly button: string; readonly enabled: boolean }
    | { readonly type: "chat"; readonly chat: ChatView | null }
    | { readonly type: "chatmessage"; readonly chat: string; readonly message: ChatMessage }
    | { readonly type: "typing"; readonly name?: string }
  );

// The server passes it on no more often.
const TYPING_MS = 3_000;

/**
 * The visitor's chat, and the chat buttons of his site. It is his on every page; a page that comes later finds it.
 *
 * Promises are rejected with the server's code: `unavailable` when nobody is there for the button, `notfound` when there
 * is no chat, `ratelimited`, `toomany`.
 */
export class VisitorChat implements Part {
  private readonly events = new Emitter<VisitorChatEvents>();
  private readonly connection: Connection;
  private buttons: ReadonlySet<string> = new Set();
  private current: ChatView | undefined;
  private typedAt = 0;

  /** Takes part in the visitor's connection, and opens none by itself. One for each `Visitor`. */
  constructor(visitor: ChatVisitor) {
    this.connection = visitor.attach(this);
  }

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof VisitorChatEvents>(event: Name, handler: (data: VisitorChatEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  /** The buttons that somebody is available for. */
  get enabled(): ReadonlySet<string> {
    return this.buttons;
  }

  /** How the chat stands; one that ended stays until there is another. */
  get view(): ChatView | undefined {
    return this.current;
  }

  /** Asks which buttons are enabled; done by itself on each connection. */
  async watch(): Promise<ReadonlySet<string>> {
    const { enabled } = await this.connection.persist(() => this.connection.request<ButtonsAnswer>({ type: "watchbuttons" }));
    const before = this.buttons;
    this.buttons = new Set(enabled);
    for (const button of before) if (!this.buttons.has(button)) this.events.emit("button", { button, enabled: false });
    for (const button of this.buttons) if (!before.has(button)) this.events.emit("button", { button, enabled: true });
    return this.buttons;
  }

  /** Begins a chat, or gives the one that the visitor has. */
  async open(button?: string): Promise<ChatView> {
    const frame = { type: "openchat", ...(button !== undefined && { button }) };
    const { chat } = await this.connection.persist(() => this.connection.request<ChatAnswer>(frame));
    if (this.current?.chat !== chat.chat) this.stands(chat);
    return this.current ?? chat;
  }

  /**
   * Says something, in at most 4,000 bytes; said once, however often the connection is lost meanwhile. After a rejection it may
   * have been said all the same: whoever says it again under the same `id`, 1 to 64 printable ASCII characters, says it once.
   */
  async say(text: string, id = randomHex(16)): Promise<Said> {
    const frame = { type: "say", text, id };
    const { n, at } = await this.connection.persist(() => this.connection.request<SaidAnswer>(frame));
    return { n, at };
  }

  /** Closes the chat, or declines the invitation to one. */
  async close(): Promise<void> {
    await this.connection.persist(() => this.connection.request({ type: "closechat" }));
  }

  /** Answers an agent's invitation. */
  async answer(accepted: boolean): Promise<void> {
    await this.connection.persist(() => this.connection.request({ type: "answerinvitation", accepted }));
  }

  /** The visitor is typing; may be called on every key. */
  typing(): void {
    const now = Date.now();
    if (now - this.typedAt < TYPING_MS) return;
    this.typedAt = now;
    this.connection.send({ type: "typing" });
  }

  welcomed(frame?: Frame): void {
    const { chat } = (frame ?? {}) as { readonly chat?: ChatView };
    if (chat) this.stands(chat);
    else if (frame && this.current && this.current.status !== "ended") {
      // It ended while this page was away; nobody tells why.
      this.stands({ ...this.current, status: "ended" });
    }
    this.watch().catch(() => {});
  }

  receive(frame: Frame): boolean {
    const told = frame as ChatFrame;
    switch (told.type) {
      case "button": {
        const { button, enabled } = told;
        const buttons = new Set(this.buttons);
        if (enabled) buttons.add(button);
        else buttons.delete(button);
        this.buttons = buttons;
        this.events.emit("button", { button, enabled });
        return true;
      }
      case "chat":
        this.stands(told.chat ?? undefined);
        return true;
      case "chatmessage":
        this.said(told.chat, told.message);
        return true;
      case "typing":
        this.events.emit("typing", told.name === undefined ? {} : { name: told.name });
        return true;
      default:
        return false;
    }
  }

  private stands(view: ChatView | undefined): void {
    // A view that repeats what the page knows is no news.
    if (JSON.stringify(view) === JSON.stringify(this.current)) return;
    this.current = view;
    this.events.emit("chat", view);
  }

  private said(chat: string, message: ChatMessage): void {
    if (this.current?.chat !== chat) return;
    const view = withMessage(this.current, message);
    if (view === this.current) return;
    this.current = view;
    this.events.emit("message", message);
  }
}
