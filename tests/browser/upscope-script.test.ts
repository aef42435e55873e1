/** Upscope's script on a visitor's page: its commands, options and events. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { agree, barSays, KEEP_ROOT, press } from "./support/cobrowse";
import { Desktop } from "./support/desktop";
import { eventually, type Journal } from "./support/journal";
import { API_KEY, GROUP } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";

const stage = useStage();

const EVENTS = ["connection", "connectionReset", "sessionRequest", "sessionStart", "sessionContinue", "sessionEnd", "newObserver", "observerUpdate", "observerGone", "observersCount"];

/** What pages put before the script: a function that keeps calls until it is there. */
const stub = (origin: string): string => `(function (page) {
  const stub = function () { stub.q.push(arguments); };
  stub.q = [];
  page.Upscope = page.Upscope || stub;
  const tag = document.createElement("script");
  tag.async = true;
  tag.src = "${origin}/sdk/upscope.js";
  document.head.append(tag);
})(window);`;

class ScriptedVisitor {
  private constructor(
    readonly page: Page,
    readonly journal: Journal,
    readonly errors: readonly string[],
  ) {}

  /** `config` is written into the page as it stands, so it may hold functions. */
  static async open(config: string, body = `<h1 id="one">One</h1>`, path = `/scripted-${Math.random()}`): Promise<ScriptedVisitor> {
    const visitor = await stage.visitor();
    await visitor.context.addInitScript(KEEP_ROOT);
    const listening = EVENTS.map((name) => `Upscope("on", "${name}", (...told) => note("upscope", "${name}", told));`).join("\n");
    const init = `Upscope("init", { apiKey: "${GROUP}", ...${config} });`;
    stage.site.page(path, html({ head: `<script>${stub(stage.server.origin)}\n${listening}\n${init}</script>`, body }));
    const page = await visitor.context.newPage();
    await page.goto(stage.site.origin + path);
    return new ScriptedVisitor(page, visitor.diary.journal("upscope"), visitor.diary.errors);
  }

  /** Calls a command whose last argument is a callback: what that is told. */
  ask<T>(...call: unknown[]): Promise<T> {
    return this.page.evaluate((call) => new Promise((resolve) => (window as any).Upscope(...call, resolve)), call) as Promise<T>;
  }

  async call(...call: unknown[]): Promise<void> {
    await this.page.evaluate((call) => (window as any).Upscope(...call), call);
  }

  async connected(): Promise<string> {
    await this.journal.next("connection");
    return this.ask("getShortId");
  }
}

/** What the REST interface says of a visitor. */
async function visitorOf(id: string): Promise<any> {
  const answer = await fetch(`${stage.server.origin}/v1.3/visitors/${id}`, { headers: { "X-Api-Key": API_KEY } });
  return ((await answer.json()) as { visitor?: unknown }).visitor;
}

async function found(search: string): Promise<string[]> {
  const answer = await fetch(`${stage.server.origin}/v1.3/list?search=${encodeURIComponent(search)}`, { headers: { "X-Api-Key": API_KEY } });
  return ((await answer.json()) as { visitors: { short_id: string }[] }).visitors.map(({ short_id }) => short_id);
}

test("what was called before the script was there is carried out, and answers come by callbacks", async () => {
  const visitor = await ScriptedVisitor.open(`{ uniqueId: "customer-1", identities: ["Ada", "ada@example.com"], tags: ["#VIP"], integrationIds: ["crm:42"] }`);
  const id = await visitor.connected();
  expect(id).toMatch(/^~[0-9a-f]{32}$/);
  expect(await visitor.ask("getWatchLink")).toBe(`${stage.server.origin}/cobrowse?id=${encodeURIComponent(id)}`);
  const code = await visitor.ask<string>("getLookupCode");
  expect(code).toMatch(/^\d{4}$/);
  expect(await visitor.ask("getLookupCode")).toBe(code);
  const known = await eventually(() => visitorOf(id), (view) => view?.unique_id === "customer-1");
  expect(known).toMatchObject({ identities: ["Ada", "ada@example.com"], tags: ["#VIP"], email: "ada@example.com", integration: ["crm:42"], lookup_code: code, is_online: true });
  for (const search of [code, "#VIP", "id:customer-1", "integration_id:crm:42", "ada@example.com"]) expect(await found(search)).toContain(id);

  await visitor.call("updateConnection", { uniqueId: null, tags: ["#OUT"] });
  const out = await eventually(() => visitorOf(id), (view) => view?.tags[0] === "#OUT");
  expect(out).toMatchObject({ unique_id: null, identities: ["Ada", "ada@example.com"] });
  expect(visitor.errors).toEqual([]);
});

test("connect opens what autoconnect left closed; reset makes somebody else of the visitor", async () => {
  const visitor = await ScriptedVisitor.open(`{ autoconnect: false }`);
  const first = await visitor.ask<string>("getShortId");
  expect(await visitorOf(first)).toBeUndefined();
  await visitor.call("connect");
  await visitor.journal.next("connection");
  await visitor.call("reset");
  await visitor.journal.next("connectionReset");
  await visitor.journal.next("connection");
  const second = await visitor.ask<string>("getShortId");
  expect(second).not.toBe(first);
  await visitor.call("reset", false);
  await visitor.journal.next("connectionReset");
  await eventually(() => visitorOf(second), (view) => view === undefined);
});

test("an agent who views is asked for, told of, and gone again; the visitor ends it", async () => {
  const visitor = await ScriptedVisitor.open(`{ authorizationPromptTitle: "Hello from {%agentName%|us}", authorizationPromptMessage: "On {%currentDomain%}", translationsYes: "Sure", translationsNo: "Nope" }`);
  const desktop = await Desktop.on(stage, await visitor.connected());
  await desktop.status("pendingRequest");
  await visitor.journal.next("sessionRequest");
  const dialog = (part: string): Promise<string> => visitor.page.evaluate((part) => (window as any).sessionRoot.querySelector(`[part~="${part}"]`).textContent, part);
  expect(await Promise.all(["title", "text", "accept", "decline"].map(dialog))).toEqual(["Hello from us", "On 127.0.0.1", "Sure", "Nope"]);
  expect(await visitor.journal.next("newObserver")).toEqual([expect.any(String), { id: expect.any(String), name: null }]);
  expect(await visitor.journal.next("observersCount")).toEqual([1]);
  await agree(visitor.page);
  await visitor.journal.next("sessionStart");
  await desktop.status("viewerReady");
  await visitor.page.reload();
  await visitor.journal.next("sessionContinue");
  await desktop.sees("#one");
  await visitor.call("stopSession");
  await desktop.status("terminated");
  await visitor.journal.next("sessionEnd");
  expect(visitor.journal.all("sessionStart")).toHaveLength(1);
});

test("what the page says reaches the desktop, and nobody else's secret with it", async () => {
  const visitor = await ScriptedVisitor.open(`{ requireAuthorizationForSession: false }`);
  const desktop = await Desktop.on(stage, await visitor.connected());
  await desktop.status("viewerReady");
  await visitor.call("customMessage", { step: "paid", card: "4111 1111 1111 1111" });
  const { message, ...rest } = await desktop.journal.next("customMessage");
  expect([rest, message.step]).toEqual([{ type: "customMessage" }, "paid"]);
  expect(message.card).not.toContain("4111");
});

test("a page that needs no authorization has nobody asked, and the bar still says who sees it", async () => {
  const visitor = await ScriptedVisitor.open(`{ requireAuthorizationForSession: false, translationsStopSession: "Enough" }`);
  const desktop = await Desktop.on(stage, await visitor.connected());
  await desktop.status("viewerReady");
  expect(desktop.statuses).toEqual(["waiting", "active", "snapshotReceived", "viewerReady"]);
  expect(await eventually(() => barSays(visitor.page), (words) => words?.includes("sees this page") ?? false)).toBeTruthy();
  expect(visitor.journal.all("sessionRequest")).toEqual([]);
  await press(visitor.page, "stop");
  await desktop.status("terminated");
});

test("onSessionRequest asks in the page's own way", async () => {
  for (const [answer, end] of [["true", "viewerReady"], ["false", "terminated"]] as const) {
    const visitor = await ScriptedVisitor.open(`{ onSessionRequest: (answer, name) => { note("upscope", "asked", name); answer(${answer}); } }`);
    const desktop = await Desktop.on(stage, await visitor.connected());
    await desktop.status(end);
    expect(await visitor.journal.next("asked")).toBeNull();
    expect(await visitor.page.evaluate(() => (window as any).sessionRoot?.querySelector("dialog") ?? null)).toBeNull();
  }
});

test("what is masked never leaves the page, whatever stands around it", async () => {
  const body = `<h1 id="one">One</h1><div class="no-upscope"><p>secret-by-class <b>deep-secret</b></p></div><section id="mine">secret-by-selector</section>
    <div class="no-upscope"><input id="field" value="secret-in-field"></div><p id="open">plain-text</p>`;
  const visitor = await ScriptedVisitor.open(`{ maskedElements: ["#mine"], requireAuthorizationForSession: false }`, body);
  const desktop = await Desktop.on(stage, await visitor.connected());
  const picture = await desktop.sees("#open");
  const seen = await picture.content();
  expect(seen).toContain("plain-text");
  for (const secret of ["secret-by-class", "deep-secret", "secret-by-selector", "secret-in-field"]) expect(seen).not.toContain(secret);
});

test("the lookup code is put into its element as soon as that appears", async () => {
  const visitor = await ScriptedVisitor.open(`{ lookupCodeElement: "#code" }`);
  await visitor.connected();
  await visitor.page.evaluate(() => document.body.append(Object.assign(document.createElement("output"), { id: "code" })));
  const text = await eventually(() => visitor.page.textContent("#code"), (text) => /^\d{4}$/.test(text ?? ""));
  expect(text).toBe(await visitor.ask("getLookupCode"));
});

test("a visitor who does nothing is let go, and is back with his first movement", async () => {
  const visitor = await ScriptedVisitor.open(`{ disconnectAfterSeconds: 1 }`);
  const id = await visitor.connected();
  await eventually(() => visitorOf(id), (view) => view === undefined);
  await visitor.page.mouse.move(10, 10);
  await visitor.journal.next("connection");
  await eventually(() => visitorOf(id), (view) => view !== undefined);
});

test("unknown commands, events and configurations break nothing", async () => {
  const visitor = await ScriptedVisitor.open(`{ surprise: 1 }`);
  await visitor.connected();
  const warned: string[] = [];
  visitor.page.on("console", (message) => message.type() === "warning" && warned.push(message.text()));
  await visitor.call("dance");
  await visitor.call("on", "nothing", "no function");
  await visitor.call("constructor");
  expect(await visitor.ask("getShortId")).toMatch(/^~/);
  expect(warned).toEqual(["Upscope: there is no command dance", "Upscope: on: the last argument of on must be a function", "Upscope: there is no command constructor"]);
});
