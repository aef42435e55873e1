/** The small badge in the corner that lets a viewer of the demo see what presence does. */

import { byThrees, shortVisitor } from "../shared/format";
import { h, replace, setText } from "../shared/dom";
import { story, type State } from "./presence";

const WORDS: Record<State, string> = {
  loading: "Presence is loading",
  connecting: "Connecting",
  connected: "Present",
  trouble: "Connection trouble",
  ended: "Presence ended",
  unavailable: "Presence unavailable",
};

export function showBadge(): void {
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const words = h("span", { class: "badge-words" });
  const who = h("span", { class: "badge-who", "data-badge-visitor": true });
  const rows = h("dl", { class: "badge-rows" });
  const badge = h(
    "details",
    { id: "presence-badge", class: "badge", "data-presence-state": "loading" },
    h("summary", {}, dot, words, who),
    h(
      "div",
      { class: "badge-panel" },
      h("h2", {}, "What an agent can see"),
      rows,
      h(
        "p",
        {},
        "Page changes, reloads and further tabs keep you present. ",
        h("a", { href: "/demo/agent", target: "_blank", rel: "noopener" }, "Open the agent’s desk"),
      ),
    ),
  );
  document.body.append(badge);

  const show = (): void => {
    badge.dataset["presenceState"] = story.state;
    badge.dataset["visitorId"] = story.visitorid;
    setText(words, WORDS[story.state]);
    setText(who, story.visitorid ? shortVisitor(story.visitorid) : "anonymous");
    const lines: [string, string][] = [["visitor id", story.visitorid || "anonymous"]];
    if (story.detail) lines.push(["trouble", story.detail]);
    const unique = badge.dataset["uniqueId"];
    if (unique) lines.push(["code", byThrees(unique)]);
    for (const [key, value] of Object.entries(story.data)) lines.push([key, String(value)]);
    replace(rows, ...lines.flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value || "–")]));
  };
  document.addEventListener("presencechange", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") badge.open = false;
  });
  show();
}
