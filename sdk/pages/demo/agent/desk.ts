/** The open visitors as tabs: one agent object and one panel each. */

import { byId, h, redraw } from "../../shared/dom";
import { setCurrent } from "./log";
import { recordOf } from "./native";
import { Opened, type VisitorRow } from "./opened";
import { labelOf, Panel, STANDINGS } from "./panel";
import { session } from "./session";

interface Tab {
  opened: Opened;
  panel: Panel;
  button: HTMLButtonElement;
}

let tabs: Tab[] = [];
let active: Tab | undefined;
let counter = 0;

export function openKeys(): { active: string; open: Set<string> } {
  return {
    active: active?.opened.visitorid || active?.opened.key || "",
    open: new Set(tabs.map((tab) => tab.opened.visitorid || tab.opened.key)),
  };
}

export function openVisitor(key: string, by: "visitorid" | "uniqueid"): void {
  const present = tabs.find((tab) => tab.opened.key === key && tab.opened.by === by);
  if (present) return activate(present, false);
  const id = String((counter += 1));
  const opened = new Opened(key, by);
  const button = h("button", {
    type: "button",
    role: "tab",
    id: `tab-${id}`,
    "aria-controls": `panel-${id}`,
    "data-tab": key,
  });
  const tab: Tab = { opened, button, panel: new Panel(opened, id, () => closeTab(tab)) };
  button.addEventListener("click", () => activate(tab, false));
  button.addEventListener("keydown", (event) => keys(event, tab));
  tabs.push(tab);
  byId("tabs").append(button);
  byId("panels").append(tab.panel.element);
  opened.connect();
  activate(tab, false);
}

function keys(event: KeyboardEvent, tab: Tab): void {
  const index = tabs.indexOf(tab);
  const go: Record<string, number> = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: tabs.length - 1 };
  const to = go[event.key];
  if (to !== undefined) {
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (next) activate(next, true);
  }
  if (event.key === "Delete") closeTab(tab);
}

function activate(tab: Tab | undefined, focus: boolean): void {
  active = tab;
  byId("tabs").hidden = tabs.length === 0;
  byId("stage-empty").hidden = tabs.length > 0;
  byId("panels").hidden = tabs.length === 0;
  for (const each of tabs) {
    const on = each === tab;
    each.button.setAttribute("aria-selected", String(on));
    each.button.tabIndex = on ? 0 : -1;
    each.panel.element.hidden = !on;
  }
  setCurrent(tab?.opened.key ?? "");
  if (focus) tab?.button.focus();
  tab?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  showTabs();
}

function closeTab(tab: Tab): void {
  const index = tabs.indexOf(tab);
  tab.opened.close();
  tab.button.remove();
  tab.panel.element.remove();
  tabs = tabs.filter((each) => each !== tab);
  const next = active === tab ? (tabs[index] ?? tabs[index - 1]) : active;
  activate(next, true);
  if (!next) byId("stage").focus();
}

export function closeAll(): void {
  for (const tab of [...tabs]) closeTab(tab);
}

function showTabs(): void {
  for (const { opened, button } of tabs) {
    button.dataset["standing"] = opened.standing;
    const label = labelOf(opened);
    redraw(button, [label, opened.standing], () => [
      h("span", { class: "dot", "aria-hidden": "true" }),
      label,
      h("span", { class: "visually-hidden" }, ` ${STANDINGS[opened.standing]}`),
    ]);
  }
  document.dispatchEvent(new CustomEvent("deskchange"));
}

/** The list brings what events do not tell; after a renewed session troubled tabs try again. */
export function wireDesk(): void {
  document.addEventListener("openedchange", () => {
    showTabs();
    for (const { opened } of tabs) void opened.fill(recordOf);
  });
  document.addEventListener("chatschange", () => {
    for (const { panel } of tabs) panel.chat.show();
  });
  document.addEventListener("chattyping", (event) => {
    for (const { panel } of tabs) panel.chat.types((event as CustomEvent<string>).detail);
  });
  document.addEventListener("rosterchange", (event) => {
    const rows = (event as CustomEvent<VisitorRow[]>).detail;
    for (const { opened } of tabs) {
      const row = rows.find((each) => each.visitorid === opened.visitorid);
      if (row) opened.listed(row);
    }
  });
  document.addEventListener("sessionchange", () => {
    if (session.state !== "ready") return;
    const troubled = tabs.map((tab) => tab.opened).filter((opened) => opened.trouble !== "");
    for (const opened of troubled) opened.close();
    for (const opened of troubled) opened.connect();
  });
  setInterval(() => active?.panel.show(), 5000);
  const wanted = new URLSearchParams(location.search);
  const open = (): void => {
    if (session.state !== "ready") return;
    document.removeEventListener("sessionchange", open);
    for (const by of ["visitorid", "uniqueid"] as const) for (const key of wanted.getAll(by)) openVisitor(key, by);
  };
  document.addEventListener("sessionchange", open);
}
