/** The list of visitors who are present, asked for every two seconds while somebody looks. */

import { ago, pathOf, shortVisitor } from "../../shared/format";
import { byId, h, redraw, setText } from "../../shared/dom";
import { openKeys, openVisitor } from "./desk";
import type { VisitorRow } from "./opened";
import { refused, session } from "./session";

const EVERY_MS = 2000;
const MOST = 200;
let rows: VisitorRow[] = [];
let more = false;
const elements = new Map<string, HTMLElement>();

function standing(row: VisitorRow): "connected" | "transit" | "gone" {
  if (row.connected === false) return "gone";
  return row.sockets === 0 ? "transit" : "connected";
}

function wanted(row: VisitorRow, filter: string): boolean {
  return `${row.visitorid} ${Object.values(row.data ?? {}).join(" ")}`.toLowerCase().includes(filter);
}

function elementOf(row: VisitorRow): HTMLElement {
  const present = elements.get(row.visitorid);
  if (present) return present;
  const button = h("button", { type: "button", class: "row" });
  button.addEventListener("click", () => openVisitor(row.visitorid, "visitorid"));
  const element = h("li", { "data-visitor": row.visitorid }, button);
  elements.set(row.visitorid, element);
  return element;
}

function draw(row: VisitorRow, active: string, open: Set<string>): HTMLElement {
  const element = elementOf(row);
  const button = element.firstElementChild as HTMLElement;
  const state = standing(row);
  const data = row.data ?? {};
  const title = String(data["title"] ?? "");
  const url = String(data["url"] ?? "");
  const cart = String(data["cart"] ?? "");
  const facts = [
    state === "transit" && "in transit",
    row.visibility === "hidden" && "hidden",
    cart !== "empty" && cart,
  ].filter(Boolean);
  const page = title || (url ? pathOf(url) : "no page reported");
  const since = row.since ? ago(row.since) : "";
  element.dataset["standing"] = state;
  if (row.visitorid === active) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.classList.toggle("open", open.has(row.visitorid));
  redraw(button, [page, facts, since], () => [
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "row-name" }, shortVisitor(row.visitorid)),
    h("span", { class: "row-since" }, since),
    h("span", { class: "row-page" }, page),
    h("span", { class: "row-facts" }, facts.join(" · ")),
  ]);
  return element;
}

export function showRoster(): void {
  const filter = byId<HTMLInputElement>("roster-filter").value.trim().toLowerCase();
  const shown = rows.filter((row) => wanted(row, filter));
  const { active, open } = openKeys();
  const list = byId("roster");
  const drawn = shown.map((row) => draw(row, active, open));
  for (const old of [...list.children]) if (!drawn.includes(old as HTMLElement)) old.remove();
  drawn.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  for (const id of elements.keys()) if (!rows.some((row) => row.visitorid === id)) elements.delete(id);
  byId("roster-empty").hidden = rows.length > 0;
  byId("roster-none").hidden = rows.length === 0 || shown.length > 0;
  const count = byId("roster-count");
  count.dataset["count"] = String(rows.length);
  setText(count, more ? `${rows.length}+` : String(rows.length));
}

async function ask(): Promise<void> {
  try {
    const answer = await fetch(`/v1/groups/${encodeURIComponent(session.group)}/visitors?limit=${MOST}`, {
      headers: { Authorization: `Bearer ${session.token}` },
      cache: "no-store",
    });
    if (answer.status === 401) return refused();
    if (!answer.ok)
      return tell(`The list of visitors is not available just now: the server answered ${answer.status}.`);
    const body = (await answer.json()) as { visitors?: VisitorRow[]; next?: string | null };
    rows = (body.visitors ?? []).sort(
      (a, b) => (b.since ?? 0) - (a.since ?? 0) || a.visitorid.localeCompare(b.visitorid),
    );
    more = Boolean(body.next);
    tell("");
    document.dispatchEvent(new CustomEvent("rosterchange", { detail: rows }));
    showRoster();
  } catch {
    tell("The server does not answer. Asking again every two seconds; what you see may be old.");
  }
}

function tell(text: string): void {
  document.dispatchEvent(new CustomEvent("rostertrouble", { detail: text }));
}

async function watch(): Promise<void> {
  if (session.state === "ready" && session.token && document.visibilityState === "visible") await ask();
  setTimeout(() => void watch(), EVERY_MS);
}

/** Six digits, however they are spaced, are a code; anything else is a visitor id. */
function reach(event: Event): void {
  event.preventDefault();
  const field = byId<HTMLInputElement>("reach-id");
  const typed = field.value.trim();
  const digits = typed.replace(/[\s-]/g, "");
  const code = /^\d{6}$/.test(digits) || (/\s/.test(typed) && /^\d{4,9}$/.test(digits));
  const good = code || /^[A-Za-z0-9._~-]{1,100}$/.test(typed);
  field.setAttribute("aria-invalid", String(!good));
  setText(
    byId("reach-error"),
    good ? "" : "A visitor id holds letters, digits and . _ ~ - only; a code is six digits.",
  );
  if (!good) return;
  field.value = "";
  openVisitor(code ? digits : typed, code ? "uniqueid" : "visitorid");
}

export function wireRoster(): void {
  byId("roster-filter").addEventListener("input", showRoster);
  byId("reach").addEventListener("submit", reach);
  document.addEventListener("deskchange", showRoster);
  document.addEventListener("sessionchange", () => void (session.state === "ready" && session.token && ask()));
  document.addEventListener(
    "visibilitychange",
    () => void (document.visibilityState === "visible" && session.token && ask()),
  );
  void watch();
}
