/** Schemas as tables of fields. References become links; recursion ends at a link. */

import { h } from "../shared/dom";
import { phrase } from "./prose";
import { type Doc, isObject, type Json, list, object, refName, slug, text } from "./spec";

const DEEPEST = 4;

export function schemaAnchor(doc: Doc, name: string): string {
  return `${doc.prefix}-schema-${slug(name)}`;
}

/** `string`, `Visitor`, `array of Tab`, `string or null`, with links for names. */
export function typeOf(doc: Doc, value: unknown, depth = 0): Node {
  const schema = object(value);
  const ref = schema["$ref"];
  if (typeof ref === "string") {
    const name = refName(ref);
    return ref.includes("/schemas/")
      ? h("a", { href: `#${schemaAnchor(doc, name)}` }, name)
      : document.createTextNode(name);
  }
  if (value === true || depth > DEEPEST) return document.createTextNode("anything");
  const choices = [...list(schema["oneOf"]), ...list(schema["anyOf"])];
  if (choices.length > 0)
    return h(
      "span",
      {},
      ...joined(
        choices.map((choice) => typeOf(doc, choice, depth + 1)),
        " or ",
      ),
    );
  const all = list(schema["allOf"]);
  if (all.length > 0)
    return h(
      "span",
      {},
      ...joined(
        all.map((part) => typeOf(doc, part, depth + 1)),
        " and ",
      ),
    );
  if (schema["const"] !== undefined) return h("code", {}, JSON.stringify(schema["const"]));
  const values = list(schema["enum"]);
  if (values.length > 0)
    return h(
      "span",
      {},
      ...joined(
        values.map((each) => h("code", {}, JSON.stringify(each))),
        " or ",
      ),
    );
  const types = Array.isArray(schema["type"]) ? schema["type"].map(text) : [text(schema["type"])].filter(Boolean);
  if (types.includes("array")) {
    const rest = types.filter((type) => type !== "array");
    return h(
      "span",
      {},
      "array of ",
      schema["items"] === undefined ? "anything" : typeOf(doc, schema["items"], depth + 1),
      rest.length > 0 && ` or ${rest.join(" or ")}`,
    );
  }
  if (isObject(schema["additionalProperties"]) && !isObject(schema["properties"])) {
    return h("span", {}, "map of ", typeOf(doc, schema["additionalProperties"], depth + 1));
  }
  return document.createTextNode(types.join(" or ") || (isObject(schema["properties"]) ? "object" : "anything"));
}

function joined(nodes: Node[], between: string): Node[] {
  return nodes.flatMap((node, index) => (index === 0 ? [node] : [document.createTextNode(between), node]));
}

const LIMITS: [string, string][] = [
  ["format", ""],
  ["minimum", "at least "],
  ["maximum", "at most "],
  ["minLength", "min. length "],
  ["maxLength", "max. length "],
  ["minItems", "min. items "],
  ["maxItems", "max. items "],
  ["maxProperties", "max. keys "],
  ["pattern", "pattern "],
];

export function limits(schema: Json): Node[] {
  const said = LIMITS.filter(([key]) => schema[key] !== undefined && schema[key] !== null).map(
    ([key, words]) => `${words}${text(schema[key])}`,
  );
  if (schema["default"] !== undefined) said.push(`default ${JSON.stringify(schema["default"])}`);
  if (schema["deprecated"] === true) said.push("deprecated");
  return said.map((each) => h("span", { class: "limit" }, each));
}

interface Field {
  name: string;
  schema: Json;
  required: boolean;
}

/** All fields of an object, with those that `allOf` brings. */
export function fieldsOf(doc: Doc, value: unknown, depth = 0): Field[] {
  const schema = doc.resolve(value);
  if (depth > DEEPEST) return [];
  const required = new Set(list(schema["required"]).map(text));
  const own = Object.entries(object(schema["properties"])).map(([name, field]) => ({
    name,
    schema: object(field),
    required: required.has(name),
  }));
  return [...list(schema["allOf"]).flatMap((part) => fieldsOf(doc, part, depth + 1)), ...own];
}

/** The object behind a field that is written in place, if there is one: it gets rows of its own. */
function inside(field: Json): unknown {
  if (isObject(field["properties"])) return field;
  const items = object(field["items"]);
  return isObject(items["properties"]) ? items : undefined;
}

function row(doc: Doc, field: Field, path: string, depth: number): HTMLElement[] {
  const name = path + field.name;
  const resolved = doc.resolve(field.schema);
  const description = text(field.schema["description"]) || text(resolved["description"]);
  const line = h(
    "tr",
    { "data-field": name },
    h("th", { scope: "row" }, h("code", {}, name), field.required && h("span", { class: "required" }, "required")),
    h("td", {}, h("span", { class: "type" }, typeOf(doc, field.schema)), ...limits(field.schema)),
    h("td", {}, description && phrase(description)),
  );
  const inner = depth < DEEPEST ? inside(field.schema) : undefined;
  const prefix = object(field.schema["items"])["properties"] ? `${name}[].` : `${name}.`;
  return [
    line,
    ...(inner === undefined ? [] : fieldsOf(doc, inner).flatMap((each) => row(doc, each, prefix, depth + 1))),
  ];
}

export function fieldTable(doc: Doc, fields: Field[]): HTMLElement {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Fields" },
    h(
      "table",
      { class: "fields" },
      h("thead", {}, h("tr", {}, ...["Field", "Type", "Meaning"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...fields.flatMap((field) => row(doc, field, "", 0))),
    ),
  );
}

/** A schema in full: its alternatives one after another, or its fields, or its type. */
export function schemaView(doc: Doc, value: unknown, depth = 0): HTMLElement {
  const schema = doc.resolve(value);
  const choices = [...list(schema["oneOf"]), ...list(schema["anyOf"])];
  if (choices.length > 0 && depth < 2 && !isObject(schema["properties"])) {
    return h(
      "div",
      { class: "choices" },
      h("p", { class: "small" }, "One of"),
      ...choices.map((choice) =>
        isObject(object(choice)["properties"])
          ? schemaView(doc, choice, depth + 1)
          : h("p", { class: "type" }, typeOf(doc, choice)),
      ),
    );
  }
  const fields = fieldsOf(doc, schema);
  if (fields.length > 0) return fieldTable(doc, fields);
  return h("p", { class: "type" }, typeOf(doc, schema), ...limits(schema));
}
