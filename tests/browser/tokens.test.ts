/** Who may come in: tokens, how a page gets them, how they end; and origins. */

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { agentEvents, agentHtml, AgentPage, type AgentObject, type Outcome } from "./support/agent";
import { eventually } from "./support/journal";
import { API_KEY, GROUP, mintToken } from "./support/settings";
import { html, Site } from "./support/site";
import { useStage } from "./support/stage";
import { visitorHtml, visitorScript } from "./support/visitor";

const OTHER_GROUP = "777";

const stage = useStage({ settings: { otherGroups: [{ id: OTHER_GROUP }] } });

const EXPIRED = 'vestibule_closes_total{code="expired"}';
const ORIGIN = 'vestibule_closes_total{code="origin"}';
const ACCEPTED = 'vestibule_handshakes_total{result="accepted"}';

function authorize(page: Page, params: object): Promise<Outcome> {
  return page.evaluate(
    (given) =>
      new Promise<Outcome>((resolve) => {
        const onsuccess = (ok: unknown): void => resolve({ ok });
        const onfail = (fail: unknown): void => resolve({ fail });
        (window as any).GLANCE.Authorization.authorize({ service: "presence", ...given, onsuccess, onfail });
      }),
    params,
  );
}

function claims(token: string): any {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

async function presentVisitor(visitorid: string) {
  const visitor = await stage.visitor(visitorid);
  const page = await visitor.open(`/${visitorid}`, { script: visitorScript({ visitorid }) });
  await visitor.journal.next("connect");
  return { visitor, page, report: (cart: number) => page.evaluate((n) => (window as any).visitor.presence({ data: { cart: n } }), cart) };
}

/** Nothing tells a page that its watch is back when nothing changed meanwhile: the visitor reports until all hear of it. */
async function reportUntilHeard(report: (cart: number) => Promise<unknown>, agents: readonly AgentObject[]): Promise<void> {
  let cart = 100;
  await eventually(
    async () => {
      await report((cart += 1));
      return agents.map(({ journal }) => journal.all("presence").length);
    },
    (heard) => heard.every((count) => count > 0),
  );
}

describe("authorize", () => {
  test("by API key: the token lives as long as asked for and serves every object of the page", async () => {
    await presentVisitor("keyed");
    const desk = await stage.agent({ token: null });
    const credentials = { username: "alice", password: API_KEY };
    const { ok } = await authorize(desk.page, { groupid: Number(GROUP), credentials, duration: 7 });
    const { sub, group, iat, exp } = claims(ok.authToken);
    expect({ sub, group, life: exp - iat }).toEqual({ sub: "alice", group: GROUP, life: 7 * 60 });
    expect(ok.authTokeExp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
    const agent = await desk.watch({ visitorid: "keyed" });
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(await (await desk.make({ visitorid: "keyed" })).signal(1)).toHaveProperty("ok");
  });

  test("by a login key made on the command line; the group comes from the tag", async () => {
    const desk = await stage.agent({ token: null });
    const loginkey = stage.server.command("loginkey", "--group", GROUP, "--user", "UserId");
    expect(loginkey).toMatch(/^\$1\$\d{10}\$[A-Za-z0-9_-]{43}$/);
    const { ok } = await authorize(desk.page, { credentials: { partnerid: GROUP, partneruserid: "UserId", loginkey }, duration: 500 });
    const { sub, iat, exp } = claims(ok.authToken);
    expect({ sub, life: exp - iat }).toEqual({ sub: "UserId", life: 120 * 60 });
    await desk.watch({ visitorid: "anybody" });
  });

  test("a token from the command line", async () => {
    const token = stage.server.command("token", "--group", GROUP, "--minutes", "1");
    await (await stage.agent({ token })).watch({ visitorid: "anybody" });
  });

  test("refused credentials, and a server that is not there", async () => {
    const desk = await stage.agent({ token: null });
    const loginkey = stage.server.command("loginkey", "--group", GROUP, "--user", "UserId");
    const refused = [
      { credentials: { username: "alice", password: "not a key of this group" } },
      { credentials: {} },
      { credentials: { partnerid: GROUP, partneruserid: "SomebodyElse", loginkey } },
      { credentials: { partnerid: "1", partneruserid: "UserId", loginkey } },
      { credentials: { username: "alice", password: API_KEY }, groupid: OTHER_GROUP },
      { credentials: { username: "alice", password: API_KEY }, groupid: "999" },
    ];
    for (const params of refused) expect([params, await authorize(desk.page, params)]).toEqual([params, { fail: "authorization" }]);
    const away = { credentials: { username: "alice", password: API_KEY }, webserver: "127.0.0.1:9" };
    expect(await authorize(desk.page, away)).toEqual({ fail: "connection" });
    expect(await (await desk.make({ visitorid: "anybody" })).lookup()).toEqual({ fail: "authorization" });
  });
});

describe("giving a token", () => {
  test("by data-authtoken; setToken overrides it", async () => {
    const { context, diary } = await stage.person("agent");
    const page = await context.newPage();
    await page.goto(stage.site.page("/tagged", agentHtml(stage.server.origin, "", `data-authtoken="${mintToken()}"`)));
    const desk = new AgentPage(page, context, diary);
    const agent = await desk.watch({ visitorid: "anybody" });
    expect(await agent.lookup()).toEqual({ ok: {} });
    const other = await desk.make({ visitorid: "nobody" });
    await desk.setToken("");
    expect(await other.lookup()).toEqual({ fail: "authorization" });
    await desk.setToken(mintToken());
    expect(await other.lookup()).toEqual({ ok: {} });
    expect(agent.journal.all("error")).toEqual([]);
  });

  test("after a refusal, a good token and connect() work", async () => {
    await presentVisitor("patient");
    const desk = await stage.agent({ token: "not.a.token" });
    const agent = await desk.make({ visitorid: "patient" });
    await agent.connect();
    expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
    await desk.setToken(mintToken());
    await agent.connect();
    expect(await agent.journal.next("visitorconn")).toEqual({ connected: true });
    expect(agent.journal.all("error")).toHaveLength(1);
  });

  test.each([
    ["signed by another key", { key: "some other key that has 32 characters" }],
    ["of another group", { group: OTHER_GROUP }],
    ["that has expired", { seconds: -1 }],
    ["without the scope to read", { scope: "signal" }],
  ])("a token %s is refused as authorization", async (_, wish) => {
    const agent = await (await stage.agent({ token: mintToken(wish) })).make({ visitorid: "anybody" });
    await agent.connect();
    expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
    expect(await agent.lookup()).toEqual({ fail: "authorization" });
    expect(agent.journal.names).toEqual(["error"]);
  });
});

describe("the end of a token", () => {
  test("closes the open socket and is told once, to each object", async () => {
    const { report } = await presentVisitor("outlived");
    const closes = await stage.server.figure(EXPIRED);
    const desk = await stage.agent({ token: mintToken({ seconds: 3 }) });
    const agents = [await desk.watch({ visitorid: "outlived" }), await desk.watch({ visitorid: "outlived" })];
    for (const agent of agents) {
      expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
      expect(await agent.signal(1)).toEqual({ fail: "authorization" });
    }
    expect(await stage.server.figure(EXPIRED)).toBe(closes + 1);
    const witness = await (await stage.agent({ name: "witness" })).watch({ visitorid: "outlived" });
    await report(1);
    await witness.journal.next("presence");
    for (const agent of agents) expect(agent.journal.names).toEqual(["visitorconn", "visitorsock", "error"]);

    await desk.setToken(mintToken());
    for (const agent of agents) await agent.connect();
    await reportUntilHeard(report, agents);
    for (const agent of agents) expect(agent.journal.all("error")).toHaveLength(1);
  });

  test("is put off in band: the same socket goes on under a fresh token", async () => {
    const { report } = await presentVisitor("renewed");
    const short = mintToken({ seconds: 4 });
    const desk = await stage.agent({ token: short });
    const agent = await desk.watch({ visitorid: "renewed" });
    const handshakes = await stage.server.figure(ACCEPTED);
    await desk.setToken(mintToken());
    await eventually(
      () => stage.server.rest("GET", `/groups/${GROUP}/visitors`, short),
      ({ status }) => status === 401,
    );
    // Longer than the server takes to close a socket at its token's end.
    const expired = Date.now();
    await eventually(() => Date.now() - expired, (passed) => passed > 1_500);
    await report(1);
    await agent.journal.next("presence");
    expect(agent.journal.names).toEqual(["visitorconn", "visitorsock", "presence"]);
    expect(await stage.server.figure(ACCEPTED)).toBe(handshakes);
    expect(await agent.signal(1)).toHaveProperty("ok");
  });

  test("comes at once when a bad token takes its place, and is told", async () => {
    const { report } = await presentVisitor("misled");
    const desk = await stage.agent();
    const agent = await desk.watch({ visitorid: "misled" });
    await desk.setToken("not.a.token");
    expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
    await desk.setToken(mintToken());
    await agent.connect();
    await reportUntilHeard(report, [agent]);
    expect(new Set(agent.journal.names)).toEqual(new Set(["visitorconn", "visitorsock", "error", "presence"]));
  });
});

describe("origins", () => {
  test("a visitor's page from an origin that is not listed is told so, and seen by nobody", async () => {
    const elsewhere = await Site.start();
    try {
      const closes = await stage.server.figure(ORIGIN);
      const { context, diary } = await stage.person("visitor");
      const page = await context.newPage();
      const script = visitorScript({ visitorid: "stranger" }, "visitor.connect(); visitor.presence({ data: { cart: 1 } });");
      await page.goto(elsewhere.page("/", visitorHtml(stage.server.origin, { script })));
      expect(await diary.journal("visitor").next("error")).toEqual({ error: "connfail", detail: "authorization" });
      expect(diary.journal("visitor").names).toEqual(["error"]);
      expect(await stage.server.figure(ORIGIN)).toBe(closes + 1);
      const agent = await (await stage.agent()).make({ visitorid: "stranger" });
      expect(await agent.lookup()).toEqual({ ok: {} });
    } finally {
      await elsewhere.stop();
    }
  });

  test("an agent's page from an origin that is not listed is refused, whatever its token", async () => {
    const elsewhere = await Site.start();
    try {
      const { context, diary } = await stage.person("agent");
      const page = await context.newPage();
      const setToken = `GLANCE.Authorization.setToken(${JSON.stringify(mintToken())});`;
      await page.goto(elsewhere.page("/", agentHtml(stage.server.origin, setToken)));
      const desk = new AgentPage(page, context, diary);
      const agent = await desk.make({ visitorid: "anybody" });
      await agent.connect();
      expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
      // A browser hides the answer to a call across origins that is not allowed; its console says why.
      expect(await agent.lookup()).toEqual({ fail: "connection" });
      expect(diary.errors.join()).toContain("CORS");
      expect(await authorize(page, { credentials: { username: "alice", password: API_KEY } })).toEqual({ fail: "connection" });
    } finally {
      await elsewhere.stop();
    }
  });

  test("a group that does not exist", async () => {
    const visitor = await stage.visitor();
    const script = visitorScript({ visitorid: "lost", groupid: 424242 });
    await visitor.open("/lost", { script });
    expect(await visitor.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
    const { context, diary } = await stage.person("agent");
    const page = await context.newPage();
    const head = `<meta id="glance-cobrowse" data-groupid="424242" /><script src="${stage.server.origin}/cobrowse/CobrowseJS.ashx?script=PresenceAgent"></script>`;
    await page.goto(stage.site.page("/no-group", html({ head })));
    await page.evaluate(
      ({ token, events }) => {
        const { GLANCE, noteAll } = window as any;
        GLANCE.Authorization.setToken(token);
        noteAll("agent", new GLANCE.Presence.Agent({ visitorid: "anybody" }), events).connect();
      },
      { token: mintToken(), events: agentEvents },
    );
    expect(await diary.journal("agent").next("error")).toEqual({ error: "connfail", detail: "authorization" });
  });
});
