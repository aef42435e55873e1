/** Examples: those that the documents give, or else one made from the schema. */

import { h, wireCopy } from "../shared/dom";
import { fieldsOf } from "./schema";
import { type Doc, entries, type Json, list, text } from "./spec";

const DEEPEST = 5;

export function exampleOf(doc: Doc, value: unknown, depth = 0): unknown {
  const schema = doc.resolve(value);
  if (schema["example"] !== undefined) return schema["example"];
  const given = list(schema["examples"]);
  if (given.length > 0) return given[0];
  if (schema["const"] !== undefined) return schema["const"];
  if (schema["default"] !== undefined) return schema["default"];
  const values = list(schema["enum"]);
  if (values.length > 0) return values[0];
  if (depth > DEEPEST) return null;
  const choice = [...list(schema["oneOf"]), ...list(schema["anyOf"])].find(
    (each) => doc.resolve(each)["type"] !== "null",
  );
  if (choice !== undefined) return exampleOf(doc, choice, depth + 1);
  const fields = fieldsOf(doc, schema);
  if (fields.length > 0)
    return Object.fromEntries(fields.map((field) => [field.name, exampleOf(doc, field.schema, depth + 1)]));
  return plain(doc, schema, depth);
}

function plain(doc: Doc, schema: Json, depth: number): unknown {
  const type = Array.isArray(schema["type"])
    ? text(schema["type"].find((each) => each !== "null"))
    : text(schema["type"]);
  if (type === "array") return schema["items"] === undefined ? [] : [exampleOf(doc, schema["items"], depth + 1)];
  if (type === "integer" || type === "number") return typeof schema["minimum"] === "number" ? schema["minimum"] : 0;
  if (type === "boolean") return true;
  if (type === "string") return schema["format"] === "date-time" ? "2030-01-01T12:00:00Z" : "text";
  return {};
}

/** What a body or a message says in its own `example` or `examples`, by name. */
export function givenExamples(doc: Doc, holder: Json): [string, unknown][] {
  const found: [string, unknown][] = [];
  if (holder["example"] !== undefined) found.push(["", holder["example"]]);
  if (Array.isArray(holder["examples"])) {
    for (const each of holder["examples"] as Json[]) found.push([text(each?.["name"]), each?.["payload"] ?? each]);
  } else {
    for (const [name, each] of entries(holder["examples"]))
      found.push([text(each["summary"]) || name, doc.resolve(each)["value"]]);
  }
  return found.filter(([, value]) => value !== undefined);
}

export function codeBlock(value: unknown, label: string): HTMLElement {
  const source = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const copy = h("button", { class: "button plain small", type: "button", "aria-label": `Copy: ${label}` }, "Copy");
  wireCopy(copy, () => source);
  return h(
    "figure",
    { class: "example" },
    h("figcaption", {}, label, copy),
    h("pre", { tabindex: 0, "aria-label": label }, h("code", {}, source)),
  );
}

/** Blocks for the given examples, or for one made from the schema where it has anything to show. */
export function examples(doc: Doc, holder: Json, schema: unknown, label: string): HTMLElement | false {
  const given = givenExamples(doc, holder);
  if (given.length === 0) {
    const made = exampleOf(doc, schema);
    const bare = typeof made !== "object" || made === null || Object.keys(made).length === 0;
    if (bare) return false;
    given.push(["", made]);
  }
  return h("div", { class: "examples" }, ...given.map(([name, value]) => codeBlock(value, name || label)));
}
