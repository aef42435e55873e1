/** The event list: everything that came back, newest first. */

import { clock, plural, shortVisitor } from "../../shared/format";
import { byId, h, setText, wireCopy } from "../../shared/dom";

export type Kind = "event" | "call" | "ok" | "fail" | "info";

interface Entry {
  time: number;
  kind: Kind;
  visitor: string;
  name: string;
  payload: string;
  row: HTMLElement;
}

const MOST = 500;
let entries: Entry[] = [];
let current = "";

function written(payload: unknown): string {
  if (payload === undefined) return "";
  try {
    const text = JSON.stringify(payload, null, 1) as string | undefined;
    return text?.replace(/\n\s*/g, " ").replace(/^\{ (.*) \}$/, "{$1}") ?? String(payload);
  } catch {
    return String(payload);
  }
}

function rowOf(entry: Omit<Entry, "row">): HTMLElement {
  return h(
    "li",
    {
      class: `entry ${entry.kind}`,
      "data-event": entry.name,
      "data-kind": entry.kind,
      "data-visitor": entry.visitor,
    },
    h("time", { datetime: new Date(entry.time).toISOString() }, clock(entry.time)),
    h("span", { class: "entry-name" }, entry.name),
    entry.visitor && h("span", { class: "entry-visitor" }, shortVisitor(entry.visitor)),
    entry.payload && h("code", { class: "entry-payload" }, entry.payload),
  );
}

function matches(entry: Entry): boolean {
  const mine = byId<HTMLInputElement>("log-mine").checked;
  if (mine && entry.visitor !== current) return false;
  const wanted = byId<HTMLInputElement>("log-filter").value.trim().toLowerCase();
  return `${entry.name} ${entry.visitor} ${entry.payload} ${entry.kind}`.toLowerCase().includes(wanted);
}

function refresh(): void {
  let shown = 0;
  for (const entry of entries) {
    entry.row.hidden = !matches(entry);
    if (!entry.row.hidden) shown += 1;
  }
  count(shown);
}

function count(shown: number): void {
  setText(byId("log-count"), shown === entries.length ? String(shown) : `${shown} of ${entries.length}`);
  const empty = byId("log-empty");
  empty.hidden = shown > 0;
  setText(
    empty,
    entries.length > 0
      ? `None of ${plural(entries.length, "event")} matches.`
      : "Every event and every callback shows up here, newest first.",
  );
}

/** `visitor` is the id the tab was opened with, or nothing for what concerns the desk itself. */
export function note(kind: Kind, visitor: string, name: string, payload?: unknown): void {
  const plain = { time: Date.now(), kind, visitor, name, payload: written(payload) };
  const entry: Entry = { ...plain, row: rowOf(plain) };
  entries.unshift(entry);
  const scroll = byId("log-scroll");
  const before = scroll.scrollHeight;
  byId("log").prepend(entry.row);
  for (const old of entries.splice(MOST)) old.row.remove();
  refresh();
  if (scroll.scrollTop > 0) scroll.scrollTop += scroll.scrollHeight - before;
}

/** Which visitor "this visitor only" means. */
export function setCurrent(visitor: string): void {
  current = visitor;
  refresh();
}

export function wireLog(): void {
  byId("log-filter").addEventListener("input", refresh);
  byId("log-mine").addEventListener("change", refresh);
  byId("log-clear").addEventListener("click", () => {
    entries = [];
    byId("log").textContent = "";
    refresh();
  });
  wireCopy(byId("log-copy"), () =>
    entries
      .filter((entry) => !entry.row.hidden)
      .map((entry) =>
        [new Date(entry.time).toISOString(), entry.kind, entry.visitor || "-", entry.name, entry.payload].join("\t"),
      )
      .join("\n"),
  );
}
