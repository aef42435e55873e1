/** Reading OpenAPI and AsyncAPI documents of which any piece may be missing. */

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function object(value: unknown): Json {
  return isObject(value) ? value : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : "";
}

export function entries(value: unknown): [string, Json][] {
  return Object.entries(object(value)).filter((entry): entry is [string, Json] => isObject(entry[1]));
}

/** The last part of a reference, which names the thing in its document. */
export function refName(ref: string): string {
  return decodeURIComponent(ref.split("/").pop() ?? ref)
    .replace(/~1/g, "/")
    .replace(/~0/g, "~");
}

export function slug(value: string): string {
  return value
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** One document with its references. `#/a/b` is looked up step by step; a loop ends after 16 steps. */
export class Doc {
  constructor(
    readonly root: Json,
    readonly prefix: string,
  ) {}

  resolve(value: unknown, depth = 0): Json {
    const node = object(value);
    const ref = node["$ref"];
    if (typeof ref !== "string" || depth > 16) return node;
    return this.resolve(this.at(ref), depth + 1);
  }

  at(ref: string): unknown {
    if (!ref.startsWith("#/")) return undefined;
    let here: unknown = this.root;
    for (const step of ref.slice(2).split("/")) {
      const key = decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~");
      here = isObject(here) || Array.isArray(here) ? (here as Json)[key] : undefined;
    }
    return here;
  }

  schemas(): [string, Json][] {
    return entries(object(this.root["components"])["schemas"]);
  }

  /** A table of codes, wherever the document keeps it. */
  codes(name: string): Json[] {
    const found = [this.root[name], object(this.root["info"])[name], object(this.root["components"])[name]].find(
      Array.isArray,
    );
    return list(found).filter(isObject);
  }
}
