/** Visitors who ask for help: a live list, the longest wait first. One agent takes each. */

import type { VisitorList, VisitorRow } from "../../../agent";
import { byId, h, redraw, setText } from "../../shared/dom";
import { ago, shortVisitor } from "../../shared/format";
import { openVisitor } from "./desk";
import { note } from "./log";
import { answerHelp, watchList } from "./native";
import { codeOf, explain } from "./reasons";

const SIZE = 20;
const AGES_MS = 5_000;
const WORDS: Record<string, string> = {
  taken: "A colleague was faster.",
  notfound: "This visitor does not ask any more.",
  scope: "Your token does not allow sessions: it lacks the scope “session”.",
};

let list: VisitorList | undefined;
let rows: readonly VisitorRow[] = [];
let count = 0;

function draw(): void {
  byId("queue").hidden = count === 0;
  setText(byId("queue-count"), String(count));
  const shown = rows.map(({ visitorid, help }) => [visitorid, help?.help, help?.text, help && ago(help.asked)]);
  redraw(byId("queue-list"), shown, () => rows.map(wish));
}

function wish({ visitorid, help }: VisitorRow): HTMLElement {
  const take = h("button", { type: "button", class: "button small primary", "data-action": "claim" }, "Take");
  const decline = h("button", { type: "button", class: "button small", "data-action": "decline" }, "Decline");
  const who = shortVisitor(visitorid);
  take.setAttribute("aria-label", `Take ${who}`);
  decline.setAttribute("aria-label", `Decline ${who}`);
  take.addEventListener("click", () => answer(true, visitorid, help?.help ?? ""));
  decline.addEventListener("click", () => answer(false, visitorid, help?.help ?? ""));
  return h(
    "li",
    { "data-asks": visitorid },
    h("p", { class: "wish-who" }, h("strong", {}, who), h("span", { class: "row-since" }, help ? ago(help.asked) : "")),
    help?.text && h("p", { class: "wish-text" }, help.text),
    h("p", { class: "wish-actions" }, take, decline),
  );
}

function answer(comes: boolean, visitorid: string, help: string): void {
  const name = comes ? "claimHelp" : "declineHelp";
  setText(byId("queue-error"), "");
  note("call", visitorid, name);
  answerHelp(comes, visitorid, help).then(
    () => {
      note("ok", visitorid, name);
      if (comes) openVisitor(visitorid, "visitorid");
    },
    (error: unknown) => {
      const code = codeOf(error);
      note("fail", visitorid, name, code);
      setText(byId("queue-error"), WORDS[code] ?? explain(code));
    },
  );
}

export function wireQueue(): void {
  document.addEventListener("nativechange", () => {
    list = watchList({ filter: { help: "pending" }, sort: "help", window: { size: SIZE } });
    [rows, count] = [[], 0];
    draw();
    list?.on("change", (state) => {
      [rows, count] = [state.rows, state.count];
      draw();
    });
  });
  setInterval(draw, AGES_MS);
}
