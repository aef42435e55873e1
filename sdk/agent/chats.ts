import { withMessage, type ChatEnd, type ChatMessage, type ChatStatus, type ChatView } from "../core/chat";
import type { Connection } from "../core/connection";
import { Emitter } from "../core/emitter";
import { randomHex } from "../core/environment";
import { codeOf } from "../core/errors";
import type { Frame, OkFrame } from "../core/frames";
import type { Part } from "../core/part";

/** A chat as an agent's list shows it. */
export interface ChatRow {
  readonly chat: string;
  readonly visitorid: string;
  readonly button?: string;
  readonly status: ChatStatus;
  /** Since when it stands so, Unix milliseconds. */
  readonly since: number;
  /** Who has it, or invites. */
  readonly agent?: { readonly subject: string; readonly name?: string };
  readonly reason?: ChatEnd;
  /** How many there are. */
  readonly messages: number;
  /** The beginning of the last one. */
  readonly last?: string;
}

/** A chat that the agent has, with what was said. */
export interface OpenChat extends ChatView {
  readonly visitorid: string;
}

export interface AgentChatsEvents {
  /** Chats came, went, or stand otherwise; `waiting` and `own` say how. */
  change: undefined;
  /** A chat that the agent reads stands otherwise. */
  chat: OpenChat;
  /** Something was said in a chat of his, by whomever. */
  message: { readonly chat: string; readonly visitorid: string; readonly message: ChatMessage };
  /** The visitor of a chat of his is typing. */
  typing: { readonly chat: string; readonly visitorid: string };
  /** What he is available for, where that changed. */
  available: ReadonlySet<string>;
  /** The server does not let him look at chats: `scope`, `toomany`. */
  error: { readonly code: string };
}

/** What chats need of an `Agent`. */
export interface ChatAgent {
  attach(part: Part): Connection;
  /** Who the server took the agent for. */
  readonly session: { readonly subject: string } | undefined;
}

interface ButtonsAnswer extends OkFrame {
  readonly buttons: readonly string[];
}

interface ChatAnswer extends OkFrame {
  readonly visitorid: string;
  readonly chat: ChatView;
}

interface SaidAnswer extends OkFrame {
  readonly n: number;
  readonly at: number;
}

type ChatsFrame = Frame &
  (
    | { readonly type: "chats"; readonly reset?: boolean; readonly put?: readonly ChatRow[]; readonly remove?: readonly string[] }
    | { readonly type: "chatmessage"; readonly chat: string; readonly visitorid: string; readonly message: ChatMessage }
    | { readonly type: "typing"; readonly chat: string; readonly visitorid: string }
    | { readonly type: "available"; readonly buttons: readonly string[] }
  );

// The server passes it on no more often.
const TYPING_MS = 3_000;

/** By its looks: this part may be bundled apart from what the connection throws. */
const codeIn = (error: unknown): string => (error as { readonly code?: string } | undefined)?.code ?? "error";

/**
 * The chats of a group's visitors, as one agent sees them: those that wait, and his own. Needs the scope `session`.
 *
 * Promises are rejected with the server's code: `taken` when another agent has the chat, `notfound` when it is over,
 * `toomany`, `visitornotpresent`.
 */
export class AgentChats implements Part {
  private readonly events = new Emitter<AgentChatsEvents>();
  private readonly connection: Connection;
  private readonly rows = new Map<string, ChatRow>();
  private readonly open = new Map<string, OpenChat>();
  private buttons: ReadonlySet<string> = new Set();
  private wanted: readonly string[] | undefined;
  private readonly typedAt = new Map<string, number>();

  /** Takes part in the agent's connection, which opens with this. One for each `Agent`. */
  constructor(private readonly agent: ChatAgent) {
    this.connection = agent.attach(this);
  }

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof AgentChatsEvents>(event: Name, handler: (data: AgentChatsEvents[Name]) => void): () => void {
    return this.events.on(event, handler);
  }

  /** Chats that nobody has; who has waited longest comes first. */
  get waiting(): readonly ChatRow[] {
    const waiting = [...this.rows.values()].filter((row) => row.status === "waiting");
    return waiting.sort((a, b) => a.since - b.since);
  }

  /** The agent's own, those that ended among them until they are dismissed; the newest first. */
  get own(): readonly ChatRow[] {
    const subject = this.agent.session?.subject;
    const own = [...this.rows.values()].filter((row) => row.agent && row.agent.subject === subject);
    return own.sort((a, b) => b.chat.localeCompare(a.chat));
  }

  /** What the agent is available for. */
  get available(): ReadonlySet<string> {
    return this.buttons;
  }

  /** A chat that was read, claimed or begun here, as it stands. */
  view(chat: string): OpenChat | undefined {
    return this.open.get(chat);
  }

  /** The agent is available for these buttons from now on, and for no others; said again on each connection. */
  async setAvailable(buttons: Iterable<string>): Promise<void> {
    const wanted = [...new Set(buttons)].sort();
    this.wanted = wanted;
    const answer = await this.connection.persist(() => this.connection.request<ButtonsAnswer>({ type: "available", buttons: wanted }));
    this.availableFor(answer.buttons);
  }

  /** A chat with its last messages: one that waits, or one of his own. */
  async read(chat: string): Promise<OpenChat> {
    return this.take(await this.ask<ChatAnswer>({ type: "readchat", chat }));
  }

  /** Takes a chat that waits. Exactly one agent does. */
  async claim(chat: string): Promise<OpenChat> {
    return this.take(await this.ask<ChatAnswer>({ type: "claimchat", chat }));
  }

  /** Gives a chat back: it waits again. */
  async release(chat: string): Promise<void> {
    await this.ask({ type: "releasechat", chat });
  }

  /** Says something, in at most 4,000 bytes; said once, however often the connection is lost meanwhile. */
  async say(chat: string, text: string): Promise<{ readonly n: number; readonly at: number }> {
    const { n, at } = await this.ask<SaidAnswer>({ type: "say", chat, text, id: randomHex(16) });
    return { n, at };
  }

  /** Ends a chat of his, or one that waits. */
  async end(chat: string): Promise<void> {
    try {
      await this.ask({ type: "endchat", chat });
    } catch (error) {
      // Ended is what it was to be.
      if (codeIn(error) !== "notfound") throw error;
    }
  }

  /** Invites a visitor to a chat. */
  async invite(visitorid: string, text: string, button?: string): Promise<OpenChat> {
    const frame = { type: "invitechat", visitorid, text, ...(button !== undefined && { button }) };
    return this.take(await this.ask<ChatAnswer>(frame));
  }

  /** The agent is typing; may be called on every key. */
  typing(chat: string): void {
    const now = Date.now();
    if (now - (this.typedAt.get(chat) ?? 0) < TYPING_MS) return;
    this.typedAt.set(chat, now);
    this.connection.send({ type: "typing", chat });
  }

  /** Forgets a chat that ended. */
  dismiss(chat: string): void {
    if (this.rows.get(chat)?.status !== "ended") return;
    this.forget(chat);
    this.events.emit("change", undefined);
  }

  welcomed(): void {
    this.begin().catch((error: unknown) => {
      // The end of a connection is told by the agent.
      const code = codeIn(error);
      if (code !== "closed") this.events.emit("error", { code });
    });
  }

  receive(frame: Frame): boolean {
    const told = frame as ChatsFrame;
    switch (told.type) {
      case "chats":
        this.changed(told.reset ?? false, told.put ?? [], told.remove ?? []);
        return true;
      case "chatmessage": {
        const { chat, visitorid, message } = told;
        const view = this.open.get(chat);
        if (view) this.open.set(chat, { ...withMessage(view, message), visitorid });
        this.events.emit("message", { chat, visitorid, message });
        return true;
      }
      case "typing":
        this.events.emit("typing", { chat: told.chat, visitorid: told.visitorid });
        return true;
      case "available":
        this.wanted = told.buttons;
        this.availableFor(told.buttons);
        return true;
      default:
        return false;
    }
  }

  private async begin(): Promise<void> {
    // Refused, as for a button that is no more, it must not keep the chats away.
    if (this.wanted) await this.setAvailable(this.wanted).catch(() => {});
    const { buttons } = await this.ask<ButtonsAnswer>({ type: "watchchats" });
    this.availableFor(buttons);
    // What was said while there was no connection.
    for (const chat of [...this.open.keys()]) {
      if (this.rows.get(chat)?.status === "ended") continue;
      await this.read(chat).catch((error: unknown) => {
        if (["notfound", "taken"].includes(codeOf(error, "internal"))) this.forget(chat);
      });
    }
    this.events.emit("change", undefined);
  }

  private ask<Answer extends Frame>(frame: Frame & Record<string, unknown>): Promise<Answer> {
    return this.connection.persist(() => this.connection.request<Answer>(frame));
  }

  private take({ visitorid, chat }: ChatAnswer): OpenChat {
    const view = { ...chat, visitorid };
    this.open.set(chat.chat, view);
    this.events.emit("chat", view);
    return view;
  }

  private availableFor(buttons: readonly string[]): void {
    const before = [...this.buttons].sort().join(" ");
    this.buttons = new Set(buttons);
    if ([...buttons].sort().join(" ") !== before) this.events.emit("available", this.buttons);
  }

  private changed(reset: boolean, put: readonly ChatRow[], remove: readonly string[]): void {
    if (reset) {
      // What ended here stays until it is dismissed.
      for (const row of [...this.rows.values()]) if (row.status !== "ended") this.rows.delete(row.chat);
    }
    for (const chat of remove) this.forget(chat);
    for (const row of put) {
      this.rows.set(row.chat, row);
      const view = this.open.get(row.chat);
      if (!view) continue;
      const { status, visitorid, reason, agent } = row;
      const stands = { ...view, status, visitorid, ...(reason && { reason }), ...(agent && { agent }) };
      this.open.set(row.chat, stands);
      if (view.status !== status || view.visitorid !== visitorid) this.events.emit("chat", stands);
    }
    this.events.emit("change", undefined);
  }

  private forget(chat: string): void {
    this.rows.delete(chat);
    this.open.delete(chat);
    this.typedAt.delete(chat);
  }
}
