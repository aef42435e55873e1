/** What the visitor sees of the frame: the panel with code and chat, and the pill when it is minimized. */

import { offerOf, type ChatMessage, type ChatView } from "../../../core/chat";
import { byId, h, setText } from "../../../pages/shared/dom";
import { topics } from "../topics";
import { Draft } from "./draft";
import type { Frame } from "./frame";
import type { TextKey } from "./languages";
import type { Talk } from "./talk";
import { fill, type Words } from "./words";

/** What went wrong, in words: some by its code, all else alike. */
const TROUBLES: readonly string[] = ["unavailable", "ratelimited", "toomany", "toolarge", "notfound", "notoffered"];
const troubleOf = (code: string): TextKey => (TROUBLES.includes(code) ? (`trouble.${code}` as TextKey) : "trouble");

export class Panel {
  private readonly log = byId<HTMLOListElement>("log");
  private readonly text = byId<HTMLTextAreaElement>("text");
  private readonly draft = new Draft(this.text, (text, id) => this.talk.say(text, id));
  private readonly time: Intl.DateTimeFormat;
  private shownChat: string | undefined;
  private shownMessages = 0;
  private layout = "";
  private isEnding = false;
  /** Whether the newest message is in sight; who has scrolled up to read is left there. */
  private isAtEnd = true;

  constructor(
    private readonly page: Window,
    private readonly frame: Frame,
    private readonly talk: Talk,
    private readonly words: Words,
  ) {
    this.time = new Intl.DateTimeFormat(words.locale, { hour: "2-digit", minute: "2-digit" });
    fill(page.document, words);
    const on = (id: string, act: () => void): void => byId(id).addEventListener("click", act);
    on("minimize", () => this.frame.tree.publish(topics.minimize));
    on("restore", () => this.frame.tree.publish(topics.show));
    on("close", () => (this.talk.isLive ? this.askEnd(true) : this.talk.hide()));
    on("done", () => this.talk.hide());
    on("keep", () => this.askEnd(false));
    on("end", () => void this.talk.end().then(() => this.askEnd(false)));
    on("accept", () => void this.talk.answer(true).then(() => this.text.focus()));
    on("decline", () => void this.talk.answer(false));
    on("share", () => void this.talk.offer());
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.draft.send();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.draft.send();
    });
    this.text.addEventListener("input", () => {
      this.draft.changed();
      if (this.talk.view?.status === "open") this.talk.chat.typing();
    });
    this.log.addEventListener("scroll", () => (this.isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40));
    new ResizeObserver(() => this.isAtEnd && this.scroll()).observe(this.log);
    page.addEventListener("focus", () => {
      if (this.frame.layout === "open" && page.document.activeElement === page.document.body) this.takeFocus();
    });
    page.document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.isEnding) this.askEnd(false);
      else this.frame.tree.publish(topics.minimize);
    });
  }

  draw(): void {
    const { frame, talk, words } = this;
    const { view } = talk;
    const { body } = this.page.document;
    const state = view?.status ?? "code";
    body.dataset["layout"] = frame.layout;
    body.dataset["view"] = state;
    setText(byId("code"), frame.code ?? "······");
    setText(byId("title"), view?.agent?.name || words(view ? "chat" : "contact"));
    setText(byId("status"), !view ? "" : view.agent || state === "waiting" || state === "ended" ? words(`status.${view.status}`) : "");
    setText(byId("typing"), talk.typing === undefined ? "" : words("typing", talk.typing));
    setText(byId("trouble"), talk.trouble === undefined ? "" : words(troubleOf(talk.trouble)));
    byId("close").setAttribute("aria-label", words(talk.isLive ? "chat.end" : "close"));
    byId("code-view").hidden = view !== undefined;
    this.log.hidden = view === undefined;
    byId("invitation").hidden = state !== "invited" || this.isEnding;
    byId("ending").hidden = !this.isEnding;
    byId("over").hidden = state !== "ended";
    byId("composer").hidden = !(state === "open" || state === "waiting") || this.isEnding;
    byId<HTMLButtonElement>("share").disabled = state !== "open" || frame.visitor.session !== undefined;
    const unread = byId("unread");
    unread.hidden = talk.unread === 0;
    setText(unread, String(talk.unread));
    setText(byId("restore-words"), words(talk.unread ? "chat.new" : view ? "chat.open" : "contact"));
    if (view) this.drawLog(view);
    if (this.layout !== frame.layout) {
      const before = this.layout;
      this.layout = frame.layout;
      if (frame.layout !== "open") return;
      if (before !== "") this.takeFocus();
      this.scroll();
    }
  }

  private drawLog(view: ChatView): void {
    if (this.shownChat !== view.chat) {
      this.shownChat = view.chat;
      this.shownMessages = 0;
      this.log.textContent = "";
    }
    for (const waiting of this.log.querySelectorAll("[data-pending]")) waiting.remove();
    // A screen reader reads what is added, so what stands there stays.
    const fresh = view.messages.filter(({ n }) => n > this.shownMessages);
    for (const message of fresh) this.log.append(this.item(message));
    this.shownMessages = view.messages[view.messages.length - 1]?.n ?? this.shownMessages;
    const { pending } = this.talk;
    for (const { text } of pending) this.log.append(this.item({ n: 0, at: Date.now(), from: "visitor", text }, true));
    if (pending.length || (fresh.length && this.isAtEnd)) this.scroll();
  }

  private item({ n, at, from, name, text }: ChatMessage, isPending = false): HTMLLIElement {
    const { words, time } = this;
    const who = from === "agent" ? name || words("agent") : from === "visitor" ? words("you") : "";
    const code = offerOf(text);
    const last = this.log.lastElementChild;
    const isAgain = last?.getAttribute("data-from") === from && last.getAttribute("data-name") === (name ?? "");
    return h(
      "li",
      { "data-n": n, "data-from": from, "data-name": name ?? "", class: isAgain && "again", "data-pending": isPending },
      who && h("span", { class: "by" }, `${who}, ${time.format(at)}`),
      code === undefined ? h("span", { class: "said" }, text) : from === "visitor" ? h("span", { class: "said" }, words("offer.own")) : this.offered(name),
    );
  }

  private offered(name: string | undefined): HTMLElement {
    const button = h("button", { type: "button", class: "button primary", "data-action": "share" }, this.words("offer.show"));
    button.addEventListener("click", () => void this.talk.share());
    return h("div", { class: "offer" }, h("p", {}, this.words("offer.text", name)), button);
  }

  private askEnd(isEnding: boolean): void {
    this.isEnding = isEnding;
    this.draw();
    if (isEnding) byId("keep").focus();
    else this.takeFocus();
  }

  /** To where one goes on; never away from the page around the frame. */
  private takeFocus(): void {
    if (!this.page.document.hasFocus()) return;
    const first = ["text", "accept", "done", "minimize"].map((id) => byId(id)).find((element) => !element.closest("[hidden]"));
    first?.focus();
  }

  private scroll(): void {
    this.log.scrollTop = this.log.scrollHeight;
  }
}
