// @vitest-environment happy-dom
/** What `docs/compatibility.md` says of the scripts is what the scripts do. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { installAgent, installVisitor } from "./install";
import { freshPage, glance, script } from "./testing";

const read = (path: string): string => readFileSync(resolve(import.meta.dirname, path), "utf8");
const [page = ""] = read("../../../docs/compatibility.md").split("\n# ");

/** The names of a table's rows, by what is said of them. */
function said(kind: string): Map<string, string> {
  const [, table = ""] = page.split(`\n| ${kind} | here | remark |\n`);
  const rows = table.split("\n\n")[0]!.split("\n").slice(1);
  const names = rows.flatMap((row) => {
    const [first = "", here = ""] = row.replace(/^\| /, "").split(" | ");
    return [...first.matchAll(/`([^`]+)`/g)].map(([, name]) => [name!, here] as const);
  });
  expect(names.length).toBeGreaterThan(0);
  expect(new Set(names.map(([name]) => name)).size).toBe(names.length);
  for (const [name, here] of names) expect(["works", "differs", "missing"], name).toContain(here);
  return new Map(names);
}

const there = (rows: Map<string, string>): string[] => [...rows].filter(([, here]) => here !== "missing").map(([name]) => name).sort();

beforeEach(() => {
  freshPage();
  const tag = script("http://help.test/x.js?group=12345");
  installVisitor(window, tag, () => import("./dialog"));
  installAgent(window, tag);
});

/** What stands under a name of `GLANCE`, and is not ours alone. */
function names(path: string, kept: readonly string[] = []): string[] {
  const found = path.split(".").reduce((object, name) => object[name], glance());
  const isClass = typeof found === "function";
  const own = Object.keys(Object.getOwnPropertyDescriptors(found)).filter((name) => !["length", "name", "prototype", "onmade"].includes(name));
  const statics = isClass || typeof found === "object" ? own.filter((name) => isClass || typeof found[name] === "function") : [];
  const calls = isClass ? Object.entries(Object.getOwnPropertyDescriptors(found.prototype)).filter(([name, { value }]) => typeof value === "function" && name !== "constructor") : [];
  return [...statics.map((name) => `${path}.${name}`), ...calls.map(([name]) => `${path}#${name}`)].filter((name) => !kept.includes(name));
}

test("each method is there, or said to be missing", () => {
  new (glance().Presence.Visitor)({ visitorid: "ada" });
  // Private ones, which only types hide.
  const inner = ["attempt", "make"].map((name) => `Presence.Visitor#${name}`);
  const innerOfAgents = ["open", "send", "call", "answer"].map((name) => `Presence.Agent#${name}`);
  const found = [
    ...names("Presence.Visitor", inner),
    ...names("Presence.Agent", innerOfAgents),
    ...names("Authorization"),
    ...names("Cobrowse.Visitor", ["Presence", "loadDialog"].map((name) => `Cobrowse.Visitor.${name}`)),
  ];
  expect(there(said("method"))).toEqual(found.sort());
});

test("each handler is called, or said to be missing", () => {
  const called = (file: string): string[] => [...new Set([...read(file).matchAll(/this\.(on[a-z]+)/g)].map(([, name]) => name!))];
  const events = read("agent.ts").match(/const eventNames = \[([^\]]+)\]/)![1]!;
  const ofAgents = [...events.matchAll(/"([a-z]+)"/g)].map(([, name]) => `on${name}`);
  const found = [...called("visitor.ts").map((name) => `Visitor#${name}`), ...[...ofAgents, ...called("agent.ts")].map((name) => `Agent#${name}`)];
  expect(there(said("handler"))).toEqual(found.sort());
});

test("each event is told, or said to be missing", () => {
  const told = [...read("cobrowse.ts").matchAll(/emit\(([^,]+),/g)].flatMap(([, names]) => [...names!.matchAll(/"([a-z]+)"/g)].map(([, name]) => name!));
  expect(there(said("event of `Cobrowse.Visitor`"))).toEqual([...new Set(told)].sort());
});
