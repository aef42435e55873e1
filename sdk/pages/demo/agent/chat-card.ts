/** A visitor's chat in his panel: an invitation, who waits, or the conversation. */

import type { ChatRow } from "../../../agent/chats";
import { messageBytes, offer, offerOf, type ChatMessage } from "../../../core/chat";
import { byteLength } from "../../../core/limits";
import { h, redraw, setText } from "../../shared/dom";
import { clock } from "../../shared/format";
import { act, deskChats, lastOf, rowOf, seen, words } from "./chats";
import { enterByCode } from "./join";
import { offerCode } from "./native";
import type { Opened } from "./opened";

const TYPING_SHOWN_MS = 4_500;

const ENDED: Record<string, string> = {
  visitor: "The visitor closed the chat.",
  agent: "You ended the chat.",
  declined: "The visitor declined.",
  unanswered: "Nobody answered in time.",
  left: "The visitor left the site.",
  idle: "Nobody said anything for too long.",
  error: "The chat broke off. The server’s log says why.",
};

export class ChatCard {
  readonly element: HTMLElement;
  private readonly state = h("span", { class: "pill", role: "status" });
  private readonly log = h("ol", { class: "chat-log", role: "log", "aria-live": "polite", "aria-label": "Chat", tabindex: 0 });
  private readonly line = h("p", { class: "chat-line", role: "status" });
  private readonly text: HTMLTextAreaElement;
  private readonly label: HTMLLabelElement;
  private readonly send = h("button", { class: "button primary", "data-action": "say" }, "Send");
  private readonly offers = h("button", { type: "button", class: "button", "data-action": "offer-session" }, "Offer co-browsing");
  private readonly take = h("button", { type: "button", class: "button primary", "data-action": "take-chat" }, "Take the chat");
  private readonly release = h("button", { type: "button", class: "button small", "data-action": "release-chat" }, "Give back");
  private readonly end = h("button", { type: "button", class: "button small", "data-action": "end-chat" }, "End chat");
  private readonly dismiss = h("button", { type: "button", class: "button small", "data-action": "dismiss-chat" }, "Clear");
  private readonly form: HTMLFormElement;
  private typing: ReturnType<typeof setTimeout> | undefined;
  private problem = "";

  constructor(private readonly opened: Opened) {
    const id = `chat-${opened.by}-${opened.key}`;
    this.text = h("textarea", { class: "input", id, rows: 2, "data-field": "chat" });
    this.label = h("label", { for: id });
    this.form = h("form", { class: "chat-form", novalidate: true }, h("div", { class: "field" }, this.label, this.text), h("div", { class: "chat-sends" }, this.offers, this.send));
    const head = h("div", { class: "chat-head" }, h("h3", {}, "Chat"), this.state, this.release, this.end, this.dismiss);
    this.element = h("section", { class: "card chat", "data-chat-card": opened.key }, head, this.log, this.line, this.take, this.form);
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.text.addEventListener("input", () => {
      this.say("");
      const row = this.row;
      if (row?.status === "open") deskChats()?.typing(row.chat);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.offers.addEventListener("click", () => this.offerSession());
    this.take.addEventListener("click", () => this.on("claim", (row) => deskChats()!.claim(row.chat)));
    this.release.addEventListener("click", () => this.on("release", (row) => deskChats()!.release(row.chat)));
    this.end.addEventListener("click", () => this.on("end", (row) => deskChats()!.end(row.chat)));
    this.dismiss.addEventListener("click", () => {
      const row = this.row;
      if (row) deskChats()?.dismiss(row.chat);
      this.text.focus();
    });
    for (const name of ["focusin", "pointerdown"]) this.element.addEventListener(name, () => this.row && seen(this.row.chat));
    this.show();
  }

  private get visitorid(): string {
    return this.opened.visitorid || this.opened.key;
  }

  private get row(): ChatRow | undefined {
    return rowOf(this.visitorid);
  }

  /** The visitor of this chat types. */
  types(chat: string): void {
    if (this.row?.chat !== chat) return;
    clearTimeout(this.typing);
    setText(this.line, "The visitor is typing …");
    this.typing = setTimeout(() => this.say(this.problem), TYPING_SHOWN_MS);
  }

  show(): void {
    const row = this.row;
    const view = row && deskChats()?.view(row.chat);
    const status = row?.status ?? "none";
    const isMine = status === "open" || status === "invited";
    this.element.dataset["chat"] = status;
    const said: Record<string, string> = { waiting: "Waits for an agent", invited: "Invited", open: "Open", ended: "Over" };
    this.state.hidden = !(status in said);
    setText(this.state, said[status] ?? "");
    this.log.hidden = !view || status === "waiting";
    this.messages(view?.messages ?? [], row);
    this.take.hidden = status !== "waiting";
    this.release.hidden = status !== "open";
    this.end.hidden = !isMine;
    setText(this.end, status === "invited" ? "Withdraw" : "End chat");
    this.dismiss.hidden = status !== "ended";
    this.form.hidden = status === "waiting" || status === "ended" || (status === "none" && this.opened.standing === "gone");
    setText(this.label, isMine ? "Your message" : "Invite the visitor to a chat");
    this.text.placeholder = isMine ? "" : "Hello! May I help you choose?";
    setText(this.send, isMine ? "Send" : "Invite");
    this.send.dataset["action"] = isMine ? "say" : "invite";
    this.offers.hidden = status !== "open";
    if (status === "none" && this.opened.standing === "gone") this.say("The visitor is not there.");
    else if (status === "waiting" && row?.last) setText(this.line, `“${lastOf(row)}”`);
  }

  private messages(messages: readonly ChatMessage[], row: ChatRow | undefined): void {
    const ending = row?.status === "ended" ? (ENDED[row.reason ?? ""] ?? "The chat is over.") : "";
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    const before = this.log.childElementCount;
    // What was being typed has come.
    if (messages.length > before && messages.at(-1)?.from === "visitor") this.say(this.problem);
    redraw(this.log, [messages.map(({ n }) => n), ending], () => [
      ...messages.map((message) => this.message(message)),
      ending && h("li", { class: "chat-note" }, ending),
    ]);
    // Who reads further up is left there.
    if (atEnd || before === 0) this.log.scrollTop = this.log.scrollHeight;
  }

  private message({ n, at, from, name, text }: ChatMessage): HTMLElement {
    const who = from === "visitor" ? "Visitor" : from === "agent" ? (name ?? "Agent") : "Notice";
    const code = offerOf(text);
    const words = code ? this.offer(code, from) : h("p", { class: "chat-text" }, text);
    return h(
      "li",
      { class: "chat-message", "data-from": from, "data-n": n },
      h("p", { class: "chat-who" }, who, " ", h("time", { datetime: new Date(at).toISOString() }, clock(at).slice(0, 5))),
      words,
    );
  }

  private offer(code: string, from: ChatMessage["from"]): HTMLElement {
    const join = h("button", { type: "button", class: "button small primary", "data-action": "join-offer" }, "Join the session");
    const line = h("p", { class: "form-error", role: "alert" });
    join.addEventListener("click", () => {
      join.disabled = true;
      setText(line, "");
      void enterByCode(code).then((problem) => {
        join.disabled = false;
        setText(line, problem);
      });
    });
    const words = from === "visitor" ? "The visitor offers to show his page." : "You offered to look at the page together. The visitor shows it by a click.";
    return h("div", { class: "chat-offer" }, h("p", {}, words), join, line);
  }

  /** Says the code of a session with the visitor, who shows his page by it; a click joins it here. */
  private offerSession(): void {
    this.offers.disabled = true;
    this.on("offer", async (row) => deskChats()!.say(row.chat, offer(await offerCode(this.visitorid))), () => (this.offers.disabled = false));
  }

  private async submit(): Promise<void> {
    const text = this.text.value.trim();
    const row = this.row;
    const isMine = row?.status === "open" || row?.status === "invited";
    const long = byteLength(text) > messageBytes;
    this.text.setAttribute("aria-invalid", String(text === "" || long));
    if (text === "") return this.say("Write something first.");
    if (long) return this.say("This is too long: a message has 4,000 bytes at most.");
    this.send.disabled = true;
    try {
      if (isMine && row) await act("say", this.visitorid, (chats) => chats.say(row.chat, text));
      else await act("invite", this.visitorid, (chats) => chats.invite(this.visitorid, text));
      // Written on meanwhile, it stays.
      if (this.text.value.trim() === text) this.text.value = "";
      this.say("");
    } catch (error) {
      this.say(words(error));
    }
    this.send.disabled = false;
    this.text.focus();
  }

  private on(name: string, call: (row: ChatRow) => Promise<unknown>, done: () => void = () => undefined): void {
    const row = this.row;
    if (!row) return done();
    const answered = act(name, this.visitorid, () => call(row)).then(
      () => {
        this.say("");
        if (!this.form.hidden) this.text.focus();
      },
      (error: unknown) => this.say(words(error)),
    );
    void answered.then(done);
  }

  private say(problem: string): void {
    clearTimeout(this.typing);
    this.problem = problem;
    setText(this.line, problem);
  }
}
