/** Chats at the desk: what the agent is available for, who waits, and the agent's own. Each chat is in its visitor's panel. */

import { AgentChats, type ChatRow, type OpenChat } from "../../../agent/chats";
import { offerOf } from "../../../core/chat";
import { byId, findAll, h, redraw, setText } from "../../shared/dom";
import { ago, shortVisitor } from "../../shared/format";
import { openKeys, openVisitor } from "./desk";
import { note } from "./log";
import { withAgent } from "./native";
import { codeOf, explain } from "./reasons";
import { session } from "./session";

/** Offered where the group declares no buttons of its own. */
const USUAL = ["sales", "support"];
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const AGES_MS = 5_000;

export const CHAT_WORDS: Record<string, string> = {
  taken: "Another agent has this chat.",
  notfound: "This chat is over.",
  toomany: "You have as many chats as you may have.",
  visitornotpresent: "The visitor has left.",
  notoffered: "The session that runs has a code of its own, which no offer carries. View the page from the top of this panel.",
  scope: "Your token does not allow chats: it lacks the scope “session”.",
};

let chats: AgentChats | undefined;
/** The server lets this agent chat. */
let allowed = false;
/** Chats in which something was said that the agent has not looked at. */
const unread = new Map<string, number>();
const offered = new Set<string>();

export function words(error: unknown): string {
  const code = codeOf((error as { code?: string }).code ?? error);
  return CHAT_WORDS[code] ?? explain(code);
}

/** The chats of this desk; nothing while nobody is signed in. */
export function deskChats(): AgentChats | undefined {
  return chats;
}

/** How the visitor's chat stands, as far as this agent may see it. */
export function rowOf(visitorid: string): ChatRow | undefined {
  if (!chats || visitorid === "") return undefined;
  const of = (rows: readonly ChatRow[]): ChatRow | undefined => rows.find((row) => row.visitorid === visitorid);
  return of(chats.own.filter(({ status }) => status !== "ended")) ?? of(chats.waiting) ?? of(chats.own);
}

/** Does something with a chat, and says in the log what came of it. */
export async function act<Result>(name: string, visitorid: string, call: (chats: AgentChats) => Promise<Result>): Promise<Result> {
  if (!chats) throw new Error("authorization");
  note("call", visitorid, name);
  try {
    const result = await call(chats);
    note("ok", visitorid, name);
    return result;
  } catch (error) {
    note("fail", visitorid, name, codeOf((error as { code?: string }).code ?? error));
    throw error;
  }
}

/** The beginning of what was said last. */
export function lastOf({ last = "" }: ChatRow): string {
  return offerOf(last) ? "An offer to show the page." : last;
}

/** The agent looks at this chat. */
export function seen(chat: string): void {
  if (unread.delete(chat)) draw();
}

function switches(): void {
  const buttons = [...new Set([...offered, ...(chats?.available ?? [])])].sort();
  const shown = buttons.map((button) => [button, chats?.available.has(button)]);
  redraw(byId("available"), shown, () =>
    buttons.map((button) => {
      const on = chats?.available.has(button) ?? false;
      const box = h("input", { type: "checkbox", role: "switch", "data-button": button, checked: on });
      box.addEventListener("change", () => void available(button, box.checked));
      return h("li", {}, h("label", { class: "check" }, box, button));
    }),
  );
  const count = chats?.available.size ?? 0;
  setText(byId("available-state"), count ? `You are available for ${[...(chats?.available ?? [])].sort().join(", ")}.` : "You are not available.");
}

/** The group's own buttons; where it declares none, some that people expect, and a field for more. */
async function offerButtons(): Promise<void> {
  offered.clear();
  const headers = { Authorization: `Bearer ${session.token}` };
  const answer = await fetch(`/v1/groups/${session.group}/buttons`, { headers, credentials: "omit" }).catch(() => undefined);
  const { buttons = [] } = answer?.ok ? ((await answer.json()) as { buttons?: { button: string; declared: boolean }[] }) : {};
  const declared = buttons.filter((button) => button.declared);
  byId("button-form").hidden = declared.length > 0;
  for (const button of declared.length ? declared.map(({ button }) => button) : [...USUAL, ...buttons.map(({ button }) => button)]) offered.add(button);
  draw();
}

async function available(button: string, on: boolean): Promise<void> {
  const buttons = new Set(chats?.available);
  if (on) buttons.add(button);
  else buttons.delete(button);
  offered.add(button);
  setText(byId("chats-error"), "");
  try {
    await act("setAvailable", "", (chats) => chats.setAvailable(buttons));
  } catch (error) {
    setText(byId("chats-error"), words(error));
    // What was switched is not so.
    for (const box of findAll<HTMLInputElement>("#available [data-button]")) box.checked = chats?.available.has(box.dataset["button"] ?? "") ?? false;
  }
  findAll<HTMLInputElement>("#available [data-button]").find((box) => box.dataset["button"] === button)?.focus();
}

function waiting(row: ChatRow): HTMLElement {
  const who = shortVisitor(row.visitorid);
  const take = h("button", { type: "button", class: "button small primary", "data-action": "claim-chat", "aria-label": `Chat with ${who}` }, "Take");
  take.addEventListener("click", () => {
    setText(byId("chats-error"), "");
    act("claim", row.visitorid, (chats) => chats.claim(row.chat)).then(
      ({ visitorid }) => openVisitor(visitorid, "visitorid"),
      (error: unknown) => setText(byId("chats-error"), words(error)),
    );
  });
  return h(
    "li",
    { "data-chat": row.chat, "data-status": "waiting" },
    h("p", { class: "wish-who" }, h("strong", {}, who), h("span", { class: "row-since" }, ago(row.since))),
    row.last && h("p", { class: "wish-text" }, lastOf(row)),
    h("p", { class: "wish-actions" }, take, row.button && h("span", { class: "pill" }, row.button)),
  );
}

const STATUS: Record<string, string> = { invited: "invited", open: "", ended: "over" };

function own(row: ChatRow): HTMLElement {
  const count = unread.get(row.chat) ?? 0;
  const open = h(
    "button",
    { type: "button", class: "chat-row" },
    h("strong", {}, shortVisitor(row.visitorid)),
    STATUS[row.status] && h("span", { class: "row-since" }, STATUS[row.status]),
    count > 0 && h("span", { class: "pill unread" }, String(count), h("span", { class: "visually-hidden" }, " unread")),
    h("span", { class: "wish-text" }, lastOf(row) || "Nothing was said yet."),
  );
  open.addEventListener("click", () => {
    openVisitor(row.visitorid, "visitorid");
    seen(row.chat);
  });
  return h("li", { "data-chat": row.chat, "data-status": row.status }, open);
}

function draw(): void {
  byId("chats").hidden = !chats || !allowed;
  if (!chats || !allowed) return;
  switches();
  const { waiting: queue, own: mine } = chats;
  setText(byId("chats-count"), String(queue.length));
  byId("chats-count").hidden = queue.length === 0;
  redraw(byId("chat-queue"), queue.map((row) => [row, ago(row.since)]), () => queue.map(waiting));
  redraw(byId("chat-own"), mine.map((row) => [row, unread.get(row.chat)]), () => mine.map(own));
  byId("chats-empty").hidden = queue.length + mine.length > 0;
  const news = queue.length + [...unread.values()].reduce((sum, count) => sum + count, 0);
  document.title = `${news ? `(${news}) ` : ""}Agent’s desk · Vestibule`;
  document.dispatchEvent(new CustomEvent("chatschange"));
}

function heard({ chat, visitorid, message }: { chat: string; visitorid: string; message: OpenChat["messages"][number] }): void {
  note("event", visitorid, "chatmessage", message);
  const looking = openKeys().active === visitorid && document.hasFocus();
  if (message.from === "visitor" && !looking) unread.set(chat, (unread.get(chat) ?? 0) + 1);
  draw();
}

export function wireChats(): void {
  document.addEventListener("nativechange", () => {
    unread.clear();
    allowed = true;
    chats = withAgent((agent) => new AgentChats(agent));
    draw();
    if (!chats) return;
    void offerButtons();
    chats.on("error", ({ code }) => {
      if (code === "scope") allowed = false;
      else setText(byId("chats-error"), words(code));
      draw();
    });
    chats.on("change", () => {
      // What goes on here is read whole, so that its panel shows it.
      for (const row of chats?.own ?? []) {
        if (row.status !== "ended" && !chats?.view(row.chat)) void chats?.read(row.chat).catch(() => undefined);
      }
      draw();
    });
    chats.on("chat", draw);
    chats.on("available", draw);
    chats.on("message", heard);
    chats.on("typing", ({ chat }) => document.dispatchEvent(new CustomEvent("chattyping", { detail: chat })));
  });
  byId("button-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId<HTMLInputElement>("button-name");
    const name = field.value.trim();
    const good = NAME.test(name);
    field.setAttribute("aria-invalid", String(!good));
    setText(byId("chats-error"), good ? "" : "A button’s name has 1 to 64 letters, digits, dots, lines or dashes.");
    if (!good) return field.focus();
    field.value = "";
    offered.add(name);
    void available(name, true);
  });
  setInterval(draw, AGES_MS);
}
