/** REST operations from an OpenAPI document. */

import { h } from "../shared/dom";
import { examples } from "./example";
import { phrase, prose } from "./prose";
import { fieldTable, schemaView, typeOf } from "./schema";
import type { Item, Part } from "./parts";
import { type Doc, entries, isObject, type Json, list, object, slug, text } from "./spec";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

function parameters(doc: Doc, found: Json[]): HTMLElement[] {
  if (found.length === 0) return [];
  const fields = found.map((parameter) => ({
    name: text(parameter["name"]),
    required: parameter["required"] === true,
    schema: {
      ...object(parameter["schema"]),
      description: [text(parameter["description"]), `In ${text(parameter["in"]) || "query"}.`]
        .filter(Boolean)
        .join(" "),
    },
  }));
  return [h("h4", {}, "Parameters"), fieldTable(doc, fields)];
}

function content(doc: Doc, holder: Json, label: string): HTMLElement[] {
  return entries(holder["content"]).flatMap(([type, media]) => [
    h(
      "p",
      { class: "small" },
      h("code", {}, type),
      " ",
      media["schema"] !== undefined && h("span", { class: "type" }, typeOf(doc, media["schema"])),
    ),
    ...(media["schema"] === undefined
      ? []
      : [
          h(
            "div",
            { class: "sides" },
            schemaView(doc, media["schema"]),
            examples(doc, media, media["schema"], label),
          ),
        ]),
  ]);
}

function responses(doc: Doc, value: unknown): HTMLElement[] {
  const found = entries(value).map(([status, response]) => [status, doc.resolve(response)] as const);
  if (found.length === 0) return [];
  return [
    h("h4", {}, "Answers"),
    ...found.map(([status, response]) => {
      const body = content(doc, response, `Answer ${status}`);
      const head: Node[] = [
        h("span", { class: `status s${status.charAt(0)}` }, status),
        phrase(text(response["description"])),
      ];
      if (body.length === 0) return h("p", { class: "answer" }, ...head);
      return h("details", { class: "answer", open: /^2/.test(status) }, h("summary", {}, ...head), ...body);
    }),
  ];
}

function security(doc: Doc, operation: Json): HTMLElement | false {
  const needed = operation["security"] ?? doc.root["security"];
  const names = list(needed).flatMap((each) => Object.entries(object(each)));
  if (names.length === 0) return false;
  const said = names.map(([name, scopes]) =>
    list(scopes).length > 0 ? `${name} (${list(scopes).map(text).join(", ")})` : name,
  );
  return h("p", { class: "small needs" }, `Needs ${[...new Set(said)].join(" or ")}`);
}

function operationItem(doc: Doc, path: string, method: string, holder: Json): Item {
  const operation = object(holder[method]);
  const id = `op-${slug(text(operation["operationId"]) || `${method} ${path}`)}`;
  const all = [...list(holder["parameters"]), ...list(operation["parameters"])].map((each) => doc.resolve(each));
  const body = operation["requestBody"] === undefined ? undefined : doc.resolve(operation["requestBody"]);
  const summary = text(operation["summary"]);
  const element = h(
    "article",
    { class: "item", id, "data-operation": `${method.toUpperCase()} ${path}`, "aria-labelledby": `${id}-h` },
    h(
      "h3",
      { id: `${id}-h` },
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      " ",
      h("code", {}, path),
      h("a", { class: "anchor", href: `#${id}`, "aria-label": `Link to ${method} ${path}` }, "#"),
    ),
    summary && h("p", { class: "summary" }, phrase(summary)),
    ...prose(text(operation["description"])),
    operation["deprecated"] === true && h("p", { class: "notice" }, "Deprecated."),
    security(doc, operation),
    ...parameters(doc, all),
    ...(body
      ? [
          h("h4", {}, "Body", body["required"] === true && h("span", { class: "required" }, "required")),
          ...content(doc, body, "Body"),
        ]
      : []),
    ...responses(doc, operation["responses"]),
  );
  return { id, label: path, badge: method.toUpperCase(), element };
}

/** One part for each tag, in the document's order; operations without a tag come together. */
export function operationParts(doc: Doc): Part[] {
  const parts = new Map<string, Part>();
  const described = new Map(
    list(doc.root["tags"])
      .filter(isObject)
      .map((tag) => [text(tag["name"]), text(tag["description"])]),
  );
  for (const [path, holder] of entries(doc.root["paths"])) {
    for (const method of METHODS.filter((each) => isObject(holder[each]))) {
      const tag = text(list(object(holder[method])["tags"])[0]) || "Calls";
      const part = parts.get(tag) ?? {
        id: `rest-${slug(tag)}`,
        title: tag,
        kind: "REST",
        text: described.get(tag) ?? "",
        items: [],
      };
      part.items.push(operationItem(doc, path, method, holder));
      parts.set(tag, part);
    }
  }
  return [...parts.values()];
}
