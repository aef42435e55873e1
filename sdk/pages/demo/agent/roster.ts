/** The visitors who are present: a live list, filtered and sorted by the server. */

import type { ListSort, ListState, VisitorList, VisitorRow } from "../../../agent";
import { ago, pathOf, plural, shortVisitor } from "../../shared/format";
import { byId, findAll, h, redraw, setText } from "../../shared/dom";
import { openKeys, openVisitor } from "./desk";
import { tell, watchList, wireNative } from "./native";
import { explain } from "./reasons";

/** Rows of one page. */
const SIZE = 100;
/** Longest text that the server compares with, in characters. */
const MOST_TEXT = 256;
/** How long a pause in typing is taken for the end of it. */
const TYPING_MS = 150;
/** How often "2 min" is brought up to date. */
const AGES_MS = 5000;

let list: VisitorList | undefined;
let known: ListState = { rows: [], count: 0, total: 0, more: true };
let offset = 0;
let typing: ReturnType<typeof setTimeout> | undefined;
const elements = new Map<string, HTMLElement>();

function filterText(): string {
  return byId<HTMLInputElement>("roster-filter").value.trim();
}

/** Asks for what the page's fields say now. */
function ask(): void {
  const text = filterText();
  const sort = byId<HTMLSelectElement>("roster-sort").value as ListSort;
  const query = { ...(text && { filter: { text } }), sort, window: { offset, size: SIZE } };
  if (list) return list.show(query);
  const opened = watchList(query);
  if (!opened) return;
  list = opened;
  opened.on("change", (state) => {
    known = state;
    // The page that was looked at may have become empty meanwhile.
    if (state.rows.length === 0 && offset > 0) return turn(Math.floor(Math.max(0, state.count - 1) / SIZE) * SIZE);
    document.dispatchEvent(new CustomEvent("rosterchange", { detail: state.rows }));
    showRoster();
  });
  opened.on("error", ({ code }) => {
    list = undefined;
    if (code !== "authorization") tell(`The list of visitors is not available just now. ${explain(code)}`);
  });
}

function turn(to: number): void {
  offset = to;
  ask();
}

function search(): void {
  clearTimeout(typing);
  const field = byId("roster-filter");
  const long = [...filterText()].length > MOST_TEXT;
  field.setAttribute("aria-invalid", String(long));
  if (!long) typing = setTimeout(() => turn(0), TYPING_MS);
}

function standing(row: VisitorRow): "connected" | "transit" {
  return row.sockets === 0 ? "transit" : "connected";
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
  const { title = "", url = "", cart = "" } = row.data;
  const facts = [
    state === "transit" && "in transit",
    row.visibility === "hidden" && "hidden",
    cart !== "empty" && String(cart),
  ].filter(Boolean);
  const page = String(title) || (url ? pathOf(String(url)) : "no page reported");
  const since = ago(row.since);
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
  const { rows, count, total } = known;
  const { active, open } = openKeys();
  const roster = byId("roster");
  const drawn = rows.map((row) => draw(row, active, open));
  const kept = new Set<Element>(drawn);
  for (const old of [...roster.children]) if (!kept.has(old)) old.remove();
  drawn.forEach((element, index) => {
    if (roster.children[index] !== element) roster.insertBefore(element, roster.children[index] ?? null);
  });
  for (const [id, element] of elements) if (!kept.has(element)) elements.delete(id);
  byId("roster-empty").hidden = total > 0;
  byId("roster-none").hidden = total === 0 || count > 0;
  const pill = byId("roster-count");
  pill.dataset["count"] = String(total);
  setText(pill, count === total ? total.toLocaleString("en") : `${count.toLocaleString("en")} of ${total.toLocaleString("en")}`);
  setText(byId("roster-said"), filterText() ? `${plural(count, "visitor matches", "visitors match")} the filter` : "");
  showPages();
}

function showPages(): void {
  const { rows, count } = known;
  byId("roster-pages").hidden = count <= SIZE;
  setText(byId("roster-range"), `${(offset + 1).toLocaleString("en")}–${(offset + rows.length).toLocaleString("en")}`);
  byId<HTMLButtonElement>("roster-before").disabled = offset === 0;
  byId<HTMLButtonElement>("roster-after").disabled = offset + rows.length >= count;
}

/** Up and down through the rows, from the search field too. */
function arrows(event: KeyboardEvent): void {
  const rows = findAll<HTMLButtonElement>("button", byId("roster"));
  const at = rows.indexOf(event.target as HTMLButtonElement);
  const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
  const next = to[event.key];
  const inField = at < 0;
  if (next === undefined || (inField && event.key !== "ArrowDown")) return;
  event.preventDefault();
  if (next < 0) byId("roster-filter").focus();
  else rows[Math.min(next, rows.length - 1)]?.focus();
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
  byId("roster-filter").addEventListener("input", search);
  byId("roster-sort").addEventListener("change", () => turn(0));
  byId("roster-before").addEventListener("click", () => turn(Math.max(0, offset - SIZE)));
  byId("roster-after").addEventListener("click", () => turn(offset + SIZE));
  byId("roster-filter").addEventListener("keydown", arrows);
  byId("roster").addEventListener("keydown", arrows);
  byId("reach").addEventListener("submit", reach);
  document.addEventListener("deskchange", showRoster);
  wireNative(ask, () => (list = undefined));
  setInterval(showRoster, AGES_MS);
}
