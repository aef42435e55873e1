/** The page's parts: a heading with items below it, each of which the search can find. */

import { h } from "../shared/dom";
import { phrase, prose } from "./prose";
import { schemaAnchor, schemaView } from "./schema";
import { type Doc, type Json, slug, text } from "./spec";

export interface Item {
  id: string;
  label: string;
  badge: string;
  element: HTMLElement;
}

export interface Part {
  id: string;
  title: string;
  kind: string;
  text: string;
  items: Item[];
}

export function schemaPart(docs: Doc[]): Part[] {
  const items = docs.flatMap((doc) =>
    doc.schemas().map(([name, schema]): Item => {
      const id = schemaAnchor(doc, name);
      const element = h(
        "article",
        { class: "item", id, "data-schema": name, "aria-labelledby": `${id}-h` },
        h(
          "h3",
          { id: `${id}-h` },
          h("code", {}, name),
          h("span", { class: "direction" }, doc.prefix === "rest" ? "REST" : "socket"),
          h("a", { class: "anchor", href: `#${id}`, "aria-label": `Link to ${name}` }, "#"),
        ),
        ...prose(text(schema["description"])),
        schemaView(doc, schema),
      );
      return { id, label: name, badge: "", element };
    }),
  );
  return items.length === 0 ? [] : [{ id: "schemas", title: "Schemas", kind: "Shapes", text: "", items }];
}

function again(value: unknown): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : text(value);
}

function codeTable(kind: string, codes: Json[]): HTMLElement {
  const close = kind === "close";
  const heads = close ? ["Number", "Code", "Again?", "When"] : ["Code", "HTTP", "Meaning"];
  const rows = codes.map((code) => {
    const number = text(code["number"]) || text(code["status"]);
    const name = text(code["code"]) || text(code["name"]);
    const cells = close
      ? [h("td", {}, number), h("td", {}, again(code["again"])), h("td", {}, phrase(text(code["meaning"])))]
      : [h("td", {}, number), h("td", {}, phrase(text(code["meaning"])))];
    const head = h("th", { scope: "row" }, h("code", {}, name));
    const [first, ...rest] = cells;
    return h("tr", { "data-code": name || number }, ...(close && first ? [first, head, ...rest] : [head, ...cells]));
  });
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `${kind} codes` },
    h(
      "table",
      { class: "fields codes" },
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows),
    ),
  );
}

export function codeParts(docs: Doc[]): Part[] {
  const parts: Part[] = [];
  for (const [kind, title, words] of [
    ["error", "Error codes", "What an `error` frame, or the `code` of a refused call, says."],
    [
      "close",
      "Close codes",
      "What a closed socket says. A browser’s script sees the number and a small JSON reason.",
    ],
  ] as const) {
    const codes = docs.map((doc) => doc.codes(`x-${kind}-codes`)).find((found) => found.length > 0);
    if (!codes) continue;
    const element = h("article", { class: "item", id: `${kind}-table` }, codeTable(kind, codes));
    parts.push({
      id: slug(title),
      title,
      kind: "Codes",
      text: words,
      items: [{ id: `${kind}-table`, label: `All ${kind} codes`, badge: "", element }],
    });
  }
  return parts;
}

export function partView(part: Part): HTMLElement {
  return h(
    "section",
    { class: "part", id: part.id, "aria-labelledby": `${part.id}-h` },
    h(
      "header",
      { class: "part-head" },
      h("p", { class: "kind" }, part.kind),
      h("h2", { id: `${part.id}-h` }, part.title),
      ...prose(part.text),
    ),
    ...part.items.map((item) => item.element),
  );
}
