import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "./build.mjs";

let out: string;

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "sdk-"));
  await build(out);
}, 60_000);

afterAll(() => rm(out, { recursive: true }));

const gzipped = async (file: string): Promise<number> => gzipSync(await readFile(join(out, file))).length;

test.each([
  ["facades/glance/PresenceVisitor.js", 12],
  ["facades/upscope/upscope.js", 12.75],
  ["sdk/visitor.classic.js", 12],
] as const)("%s is at most %d KB, gzipped", async (file, most) => {
  expect(await gzipped(file)).toBeLessThanOrEqual(most * 1024);
});

test.each([["launcher", 14], ["panel", 5]] as const)("facades/oracle/%s.js is at most %d KB, gzipped", async (name, most) => {
  expect(await gzipped(`facades/oracle/${name}.js`)).toBeLessThanOrEqual(most * 1024);
});

test.each([["facades/channelme/site_connect.js", 6.5], ["pages/connect/connect.js", 24]] as const)("%s is at most %d KB, gzipped", async (file, most) => {
  expect(await gzipped(file)).toBeLessThanOrEqual(most * 1024);
});

test("what a page loads for a session is at most 48 KB, gzipped", async () => {
  expect(await gzipped("sdk/cobrowse.js")).toBeLessThanOrEqual(48 * 1024);
});

test("what a page loads for chat is at most 3 KB, gzipped", async () => {
  expect(await gzipped("sdk/chat.js")).toBeLessThanOrEqual(3 * 1024);
});

test("the kit for desktops is at most 16 KB, gzipped", async () => {
  expect(await gzipped("sdk/genesys.js")).toBeLessThanOrEqual(16 * 1024);
});

test("all bundles are there, and no visitor's bundle carries the agent's side", async () => {
  const bundles = ["agent.classic.js", "agent.js", "chat.js", "cobrowse.js", "genesys.js", "topics.js", "visitor.classic.js", "visitor.js"];
  expect((await readdir(join(out, "sdk"))).sort()).toEqual(bundles);
  expect((await readdir(join(out, "facades/glance"))).sort()).toEqual(["PresenceAgent.js", "PresenceVisitor.js", "Terms.js"]);
  const visitor = await readFile(join(out, "facades/glance/PresenceVisitor.js"), "utf8");
  expect(visitor).not.toContain("/v1/agent");
  expect(visitor).not.toContain("beforeunload");
  for (const file of ["sdk/visitor.classic.js", "sdk/visitor.js", "facades/glance/PresenceVisitor.js"]) {
    expect(await readFile(join(out, file), "utf8")).not.toContain("openchat");
  }
});
