/** Functions of the visitor's page that an agent calls: which may be called, and who hears when one fails. */

import { beforeEach, describe, expect, test } from "vitest";
import type { AgentObject } from "./support/agent";
import { GROUP, mintToken } from "./support/settings";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorBrowser } from "./support/visitor";

const stage = useStage();

const FUNCTIONS = `
  window.GLANCE.Shop = {
    open(...args) { note("calls", "open", args); },
    later: async (args) => { await null; note("calls", "later", args); },
    throws() { throw new Error("out of stock"); },
    rejects: async () => { throw new Error("no luck"); },
    throwsText() { throw "just text"; },
    notAFunction: 7,
    Deep: { er: { open() { note("calls", "deep"); } } },
  };
  window.GLANCE.Shop.inherits = Object.create({ inherited() { note("calls", "inherited"); } });
  window.outside = () => note("calls", "outside");
`;

let visitor: VisitorBrowser;
let agent: AgentObject;

beforeEach(async () => {
  visitor = await stage.visitor();
  await visitor.open("/invoked", { script: FUNCTIONS + visitorScript({ visitorid: "invoked" }) });
  await visitor.journal.next("connect");
  agent = await (await stage.agent()).watch({ visitorid: "invoked" });
});

/** What the page was called with, by the time that a last call arrived. */
async function callsSoFar() {
  const journal = visitor.diary.journal("calls");
  expect(await agent.invoke("GLANCE.Shop.later", "last")).toHaveProperty("ok");
  await journal.next("later", (data) => data === "last");
  return journal.entries.slice(0, -1);
}

describe("working functions", () => {
  test("get one argument, whatever JSON it is, or none", async () => {
    const given = [{ nested: { list: [1, null] } }, "text", 0, false, [1, 2]];
    for (const args of given) expect(await agent.invoke("GLANCE.Shop.open", args)).toHaveProperty("ok");
    expect(await agent.invoke("GLANCE.Shop.open")).toHaveProperty("ok");
    expect(await agent.invoke("GLANCE.Shop.Deep.er.open")).toHaveProperty("ok");
    const calls = await callsSoFar();
    const first = (data: any): unknown => data?.[0] ?? null;
    expect(calls.map(({ name, data }) => [name, first(data)])).toEqual([
      ...given.map((args) => ["open", args]),
      ["open", null],
      ["deep", null],
    ]);
    expect(agent.journal.all("visitorerror")).toEqual([]);
  });

  test("run in the order in which they were invoked, once each", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, at) => agent.invoke("GLANCE.Shop.open", at)));
    expect((await callsSoFar()).map(({ data }) => data[0])).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });

  test("keep their order with signals", async () => {
    const ends = Array.from({ length: 10 }, (_, at) => (at % 2 ? agent.signal(at) : agent.invoke("GLANCE.Shop.open", at)));
    await Promise.all(ends);
    await visitor.journal.next("signal", (data) => data === 9);
    expect(visitor.journal.all("signal")).toEqual([1, 3, 5, 7, 9]);
    expect((await callsSoFar()).map(({ data }) => data[0])).toEqual([0, 2, 4, 6, 8]);
  });
});

describe("failing functions are accepted by the service and told to the sender", () => {
  const failures = [
    ["GLANCE.Shop.missing", "unknownfunction", "GLANCE.Shop.missing"],
    ["GLANCE.Nothing.here.at.all", "unknownfunction", "GLANCE.Nothing"],
    ["GLANCE.Shop.notAFunction", "unknownfunction", "notAFunction"],
    ["GLANCE.Shop.inherits.inherited", "unknownfunction", "inherited"],
    ["GLANCE.Shop.toString", "unknownfunction", "toString"],
    ["GLANCE.Shop.throws", "exception", "out of stock"],
    ["GLANCE.Shop.rejects", "exception", "no luck"],
    ["GLANCE.Shop.throwsText", "exception", "just text"],
  ] as const;

  test("with the function's name and the reason", async () => {
    for (const [func, code, said] of failures) {
      const { ok } = await agent.invoke(func, { some: "args" });
      const problem = await agent.journal.next("visitorerror");
      expect([func, problem]).toMatchObject([func, { code, msg: expect.stringContaining(said), params: { func, id: ok.id } }]);
    }
    expect(await callsSoFar()).toEqual([]);
    expect(visitor.diary.errors).toEqual([]);
  });

  test("and to nobody else", async () => {
    const other = await (await stage.agent({ name: "other" })).watch({ visitorid: "invoked" });
    await agent.invoke("GLANCE.Shop.throws");
    await agent.journal.next("visitorerror");
    await other.invoke("GLANCE.Shop.missing");
    expect(await other.journal.next("visitorerror")).toMatchObject({ code: "unknownfunction" });
    expect(other.journal.all("visitorerror")).toHaveLength(1);
    expect(agent.journal.all("visitorerror")).toHaveLength(1);
  });

  test("a sender over REST finds it with the outcome", async () => {
    const path = `/groups/${GROUP}/visitors/invoked`;
    const { body } = await stage.server.rest("POST", `${path}/invocations`, mintToken(), { func: "GLANCE.Shop.throws" });
    // The failure is told after the acknowledgement; a later call of the same page comes after both.
    await callsSoFar();
    const state = await stage.server.rest("GET", `${path}/signals/${body.id}`, mintToken());
    expect(state.body).toMatchObject({ id: body.id, outcome: "delivered", error: { code: "exception", msg: "out of stock" } });
  });
});

describe("forbidden names are refused by the service", () => {
  const names = [
    "GLANCE.Authorization.setToken",
    "GLANCE.Authorization",
    "GLANCE.Shop.__proto__.open",
    "GLANCE.__proto__.toString",
    "GLANCE.Shop.constructor",
    "GLANCE.Shop.open.prototype.x",
    "outside",
    "window.outside",
    "GLANCE",
    "GLANCE.",
    "GLANCE..Shop",
    "glance.Shop.open",
    "GLANCE.Shop.open()",
    "GLANCE['Shop']",
    "",
  ];

  test("over the agent's socket and over REST, with nothing called", async () => {
    const page = await stage.agent({ name: "without a socket" });
    const unconnected = await page.make({ visitorid: "invoked" });
    for (const func of names) {
      expect([func, await agent.invoke(func, "x")]).toEqual([func, { fail: "forbiddenfunction" }]);
      expect([func, await unconnected.invoke(func, "x")]).toEqual([func, { fail: "forbiddenfunction" }]);
    }
    expect(await callsSoFar()).toEqual([]);
    expect(agent.journal.all("visitorerror")).toEqual([]);
  });

  test("a token without the scope may not invoke", async () => {
    const page = await stage.agent({ name: "reader", token: mintToken({ scope: "read signal" }) });
    const connected = await page.watch({ visitorid: "invoked" });
    expect(await connected.invoke("GLANCE.Shop.open")).toEqual({ fail: "authorization" });
    expect(await connected.signal("allowed")).toHaveProperty("ok");
    const unconnected = await page.make({ visitorid: "invoked" });
    expect(await unconnected.invoke("GLANCE.Shop.open")).toEqual({ fail: "authorization" });
    expect(await callsSoFar()).toEqual([]);
  });
});
