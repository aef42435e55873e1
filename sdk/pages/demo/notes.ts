/** Signals from an agent, shown as notes from the shop. They stay until they are put away. */

import { clock } from "../shared/format";
import { findAll, h } from "../shared/dom";

const MOST = 4;
let received = 0;
let area: HTMLElement | undefined;

interface Note {
  from: string;
  text: string;
  json: boolean;
}

function read(data: unknown): Note {
  if (typeof data === "string") return { from: "", text: data, json: false };
  if (typeof data === "object" && data !== null) {
    const { text, message, from } = data as Record<string, unknown>;
    const said = text ?? message;
    if (typeof said === "string") return { from: typeof from === "string" ? from : "", text: said, json: false };
  }
  return { from: "", text: JSON.stringify(data, null, 2) ?? "nothing", json: true };
}

/** The area has to be in the page before the first note, or screen readers miss it. */
export function prepareNotes(): void {
  area = h("section", {
    id: "notes",
    class: "notes",
    role: "log",
    "aria-label": "Notes from the shop",
    "aria-live": "polite",
  });
  document.body.append(area);
}

export function showNote(data: unknown): void {
  if (!area) return;
  received += 1;
  document.documentElement.dataset["signals"] = String(received);
  const note = read(data);
  const close = h("button", { type: "button", class: "note-close", "aria-label": "Put this note away" }, "×");
  const card = h(
    "article",
    { class: "note", "data-signal": received },
    h("img", { src: "/pages/demo/img/mark.svg", alt: "", width: 34, height: 34 }),
    h(
      "div",
      { class: "note-body" },
      h(
        "p",
        { class: "note-head" },
        h("strong", {}, note.from || "Harbour & Pine"),
        h("time", {}, clock(Date.now()).slice(0, 5)),
      ),
      note.json
        ? h("pre", { class: "note-text", "data-note-text": true }, note.text)
        : h("p", { class: "note-text", "data-note-text": true }, note.text),
    ),
    close,
  );
  close.addEventListener("click", () => card.remove());
  area.append(card);
  const cards = findAll(".note", area);
  for (const old of cards.slice(0, Math.max(0, cards.length - MOST))) old.remove();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape")
    findAll(".note", area ?? document)
      .pop()
      ?.remove();
});
