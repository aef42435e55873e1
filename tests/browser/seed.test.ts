/** The Presence Agent API as its documentation prints it, on a page of another origin. */

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { agentEvents, AgentObject } from "./support/agent";
import { leave, setVisibility, travel } from "./support/page";
import { GROUP } from "./support/settings";
import { html } from "./support/site";
import { agree, Showing } from "./support/cobrowse";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorPageParts } from "./support/visitor";

const stage = useStage();

async function visitorOnPage(visitorid: string, parts: VisitorPageParts = {}) {
  const visitor = await stage.visitor();
  const page = await visitor.open(`/${visitorid}`, { script: visitorScript({ visitorid }), ...parts });
  await visitor.journal.next("connect");
  return { visitor, page };
}

/** An agent who already sees the visitor as connected. */
async function watching(visitorid: string): Promise<AgentObject> {
  const agent = await (await stage.agent()).watch({ visitorid });
  await agent.journal.next("visitorconn", ({ connected }) => connected);
  return agent;
}

describe("including the script", () => {
  test("the documented tag works unchanged but for the host", async () => {
    const { context, diary } = await stage.person("agent");
    const page = await context.newPage();
    const head = `<meta id="glance-cobrowse" data-groupid="12345" />
<script src="https://ww2.glancecdn.net/cobrowse/CobrowseJS.ashx?groupid=12345&script=PresenceAgent" ></script>`;
    const address = stage.site.page("/documented", html({ head: head.replace("https://ww2.glancecdn.net", stage.server.origin) }));
    await page.goto(address);
    expect(await page.evaluate(() => Object.keys((window as any).GLANCE).sort())).toEqual(["Authorization", "PATCH", "Presence", "VERSION"]);
    await canWatch(page, diary.journal("agent"));
    expect(diary.errors).toEqual([]);
  });

  test("a self-hosted script with the documented meta tag, closed by a tag of its own", async () => {
    const bundle = await (await fetch(`${stage.server.origin}/cobrowse/CobrowseJS.ashx?script=PresenceAgent`)).text();
    stage.site.page("/own/presence.js", bundle);
    const { context, diary } = await stage.person("agent");
    const page = await context.newPage();
    const head = `<meta id="glance-cobrowse" data-groupid="groupidhere"></meta><script src="/own/presence.js"></script>`;
    await page.goto(stage.site.page("/self-hosted", html({ head: head.replace("groupidhere", GROUP) })));
    await canWatch(page, diary.journal("agent"), { presenceserver: stage.server.host });
    expect(diary.errors).toEqual([]);
  });

  async function canWatch(page: Page, journal: AgentObject["journal"], params: object = {}) {
    await page.evaluate(
      ({ token, params, events }) => {
        const { GLANCE, noteAll } = window as any;
        GLANCE.Authorization.setToken(token);
        noteAll("agent", new GLANCE.Presence.Agent({ visitorid: "nobody", ...params }), events).connect();
      },
      { token: await stage.token(), params, events: agentEvents },
    );
    expect(await journal.next("visitorconn")).toEqual({ connected: false });
    expect(await journal.next("visitorsock")).toMatchObject({ connected: false });
  }

  test("the constructor needs a visitorid or a uniqueid", async () => {
    const { page } = await stage.agent();
    const attempts = await page.evaluate(() => {
      const { Agent } = (window as any).GLANCE.Presence;
      return [{}, { visitorid: "a" }, { uniqueid: "123456" }].map((params) => {
        try {
          return new Agent(params) instanceof Agent;
        } catch (error) {
          return String(error);
        }
      });
    });
    expect(attempts).toEqual([expect.stringContaining("TypeError"), true, true]);
  });
});

describe("methods", () => {
  test("lookupVisitor gives the visitor's presence information", async () => {
    const { visitor, page } = await visitorOnPage("looked-up");
    await page.evaluate(() => (window as any).visitor.presence({ data: { cart: 3, name: "Ada" }, onsuccess: () => (window as any).note("visitor", "told") }));
    await visitor.journal.next("told");
    const agent = await (await stage.agent()).make({ visitorid: "looked-up" });
    const { ok: info } = await agent.lookup();
    const seconds = expect.stringMatching(/^\d{10}\.\d$/);
    expect(info).toMatchObject({
      visitorid: "looked-up",
      groupid: GROUP,
      visitorpresent: seconds,
      timestamp: seconds,
      direct: stage.server.host,
      directserver: "127.0.0.1",
      ds: "127.0.0.1/0",
      httpsport: Number(stage.server.host.split(":")[1]),
      tlsport: Number(stage.server.host.split(":")[1]),
      url: `${stage.site.origin}/looked-up`,
      title: "Test page",
      browser: expect.stringMatching(/^(Chrome|Chromium|HeadlessChrome)$/),
      browserver: expect.stringMatching(/^\d+/),
      platform: "Linux",
      language: expect.stringMatching(/^en/),
      cart: 3,
      name: "Ada",
    });
    expect(Math.abs(Number(info.visitorpresent) - Date.now() / 1000)).toBeLessThan(30);
  });

  test("lookupVisitor gives an empty object for an absent visitor", async () => {
    const agent = await (await stage.agent()).make({ visitorid: "absent" });
    expect(await agent.lookup()).toEqual({ ok: {} });
  });

  test("signalVisitor sends any JSON; nothing else than onsuccess is called, without connect()", async () => {
    const { visitor } = await visitorOnPage("signalled");
    const agent = await (await stage.agent()).make({ visitorid: "signalled" });
    const messages = [{ text: "hello", list: [1, { two: 2 }] }, "text", 0, false, null, ["Ünïcödé ✓"]];
    for (const message of messages) {
      expect(Object.keys(await agent.signal(message))).toEqual(["ok"]);
      expect(await visitor.journal.next("signal")).toEqual(message);
    }
    expect(visitor.journal.all("signal")).toHaveLength(messages.length);
  });

  test("a signal to a visitor who is between pages waits for the next one, once", async () => {
    const { visitor, page } = await visitorOnPage("between");
    const agent = await watching("between");
    await leave(page);
    await agent.journal.next("visitorsock", ({ connected }) => !connected);
    expect(await agent.signal("first")).toHaveProperty("ok");
    expect(await agent.signal("second")).toHaveProperty("ok");
    await page.goto(`${stage.site.origin}/between`);
    expect([await visitor.journal.next("signal"), await visitor.journal.next("signal")]).toEqual(["first", "second"]);
    await page.reload();
    expect(await agent.signal("third")).toHaveProperty("ok");
    await visitor.journal.next("signal");
    expect(visitor.journal.all("signal")).toEqual(["first", "second", "third"]);
  });

  test("invokeVisitor calls a function under GLANCE with the object given", async () => {
    const script = `window.GLANCE.Shop = { open(args) { note("shop", "open", { args, own: this === GLANCE.Shop }); } };`;
    const { visitor } = await visitorOnPage("invoked", { script: script + visitorScript({ visitorid: "invoked" }) });
    const agent = await (await stage.agent()).make({ visitorid: "invoked" });
    expect(await agent.invoke("GLANCE.Shop.open", { page: 7 })).toHaveProperty("ok");
    expect(await visitor.diary.journal("shop").next("open")).toEqual({ args: { page: 7 }, own: true });
    expect(visitor.journal.all("signal")).toEqual([]);
  });

  test("query is a static that is not implemented, as documented", async () => {
    const { page } = await stage.agent();
    const reason = await page.evaluate(
      () => new Promise((onfail) => (window as any).GLANCE.Presence.Agent.query({ onsuccess: () => onfail("success"), onfail })),
    );
    expect(reason).toBe("error");
  });

  test("disconnect ends the events, and connect starts them again", async () => {
    await visitorOnPage("watched-twice");
    const agent = await watching("watched-twice");
    await agent.disconnect();
    agent.journal.clear();
    const other = await watching("watched-twice");
    const { visitor } = await visitorOnPage("watched-twice");
    await other.journal.next("visitorsock", ({ sockets }) => sockets === 2);
    await visitor.context.close();
    await other.journal.next("visitorsock", ({ sockets }) => sockets === 1);
    expect(agent.journal.names).toEqual([]);
    await agent.connect();
    expect(await agent.journal.next("visitorsock")).toMatchObject({ connected: true, sockets: 1 });
    expect(agent.journal.all("error")).toEqual([]);
  });
});

describe("events", () => {
  test("visitorconn and visitorsock: coming, changing pages, reloading, leaving", async () => {
    const agent = await (await stage.agent()).watch({ visitorid: "walker" });
    const { page, visitor } = await visitorOnPage("walker");
    const other = visitor.put("/walker-two", { script: visitorScript({ visitorid: "walker" }) });
    for (const go of [() => page.goto(other), () => page.reload(), () => travel(page, -1), () => travel(page, 1)]) {
      await go();
      await visitor.journal.next("connect");
    }
    await leave(page);
    await agent.journal.next("visitorconn", ({ connected }) => connected);
    await agent.journal.next("visitorconn", ({ connected }) => !connected);
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: false }, { connected: true }, { connected: false }]);
    const sockets = agent.journal.all("visitorsock");
    // The present state, then five pages: each socket's opening and end with the number that are left, whether the
    // browser closes the old page's socket before it opens the new page's or after.
    const [present, ...changes] = sockets;
    expect(present).toEqual({ connected: false, sockets: 0 });
    expect(changes.filter(({ connected }) => connected)).toHaveLength(5);
    expect(changes.filter(({ connected }) => !connected)).toHaveLength(5);
    let open = 0;
    for (const { connected, sockets } of changes) {
      open += connected ? 1 : -1;
      expect(sockets).toBe(open);
    }
    expect(agent.journal.names.lastIndexOf("visitorconn")).toBeGreaterThan(agent.journal.names.lastIndexOf("visitorsock"));
  });

  test("presence: the update as sent, with the page's own fields in each", async () => {
    const { page } = await visitorOnPage("reporter");
    const agent = await watching("reporter");
    const report = (data: object) => page.evaluate((given) => (window as any).visitor.presence({ data: given }), data);
    await report({ cart: 1 });
    const first = await agent.journal.next("presence");
    await report({ step: "pay" });
    const second = await agent.journal.next("presence");
    const own = { url: `${stage.site.origin}/reporter`, browser: expect.any(String), browserver: expect.any(String), platform: "Linux" };
    expect(first).toMatchObject({ ...own, cart: 1 });
    expect(second).toMatchObject({ ...own, step: "pay" });
    expect(second).not.toHaveProperty("cart");
    expect((await agent.lookup()).ok).toMatchObject({ cart: 1, step: "pay" });
  });

  test("terms: displayed, accepted and declined by mouse", async () => {
    const { page } = await visitorOnPage("terms-mouse");
    const agent = await watching("terms-mouse");
    await agent.invoke("GLANCE.Cobrowse.Visitor.showTerms", {});
    expect(await agent.journal.next("terms")).toEqual({ status: "displayed" });
    await page.getByRole("button", { name: "Decline" }).click();
    expect(await agent.journal.next("terms")).toEqual({ status: "declined" });
    await agent.invoke("GLANCE.Cobrowse.Visitor.showTerms", {});
    await page.getByRole("button", { name: "Accept" }).click();
    await agent.journal.next("terms", ({ status }) => status === "accepted");
    expect(agent.journal.all("terms").map(({ status }) => status)).toEqual(["displayed", "declined", "displayed", "accepted"]);
    expect(await page.getByRole("dialog").count()).toBe(0);
  });

  test("terms: by keyboard, where nothing but the button accepts", async () => {
    const { page } = await visitorOnPage("terms-keys");
    const agent = await watching("terms-keys");
    const show = async () => {
      await agent.invoke("GLANCE.Cobrowse.Visitor.showTerms", {});
      await agent.journal.next("terms", ({ status }) => status === "displayed");
    };
    const answers = () => agent.journal.all("terms").map(({ status }) => status).filter((status) => status !== "displayed");
    await show();
    await page.keyboard.press("Escape");
    await agent.journal.next("terms", ({ status }) => status === "declined");
    await show();
    await page.keyboard.press("Enter");
    await agent.journal.next("terms", ({ status }) => status === "declined");
    await show();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await agent.journal.next("terms", ({ status }) => status === "accepted");
    expect(answers()).toEqual(["declined", "declined", "accepted"]);
  });

  test("visitorsessionstart, visitorsessionend and visitorerror as reported on the visitor's side", async () => {
    const { page } = await visitorOnPage("sharer");
    const agent = await watching("sharer");
    await page.evaluate(() => {
      const { core } = (window as any).GLANCE.Presence.Visitor.instance;
      core.reportSessionStart();
      core.reportSessionEnd("visitor");
      core.reportError({ code: "conndrop", msg: "dropped", params: { script: "a.js" } });
    });
    expect(await agent.journal.next("visitorsessionstart")).toSatisfy((data: object | null) => data === null || Object.keys(data).length === 0);
    expect(await agent.journal.next("visitorsessionend")).toEqual({ reason: "visitor" });
    expect(await agent.journal.next("visitorerror")).toMatchObject({ code: "conndrop", msg: "dropped", params: { script: "a.js" } });
    expect(agent.journal.names.slice(-3)).toEqual(["visitorsessionstart", "visitorsessionend", "visitorerror"]);
  });

  test("startSession, invoked, asks the visitor; his agreement is the session's start on both sides", async () => {
    const { visitor, page } = await visitorOnPage("starter");
    const agent = await watching("starter");
    await page.evaluate(() => {
      const { GLANCE, note } = window as any;
      for (const name of ["sessionstarting", "sessionstart", "sessionend"]) {
        GLANCE.Cobrowse.Visitor.addEventListener(name, (data: unknown) => note("cobrowse", name, data));
      }
    });
    const told = visitor.diary.journal("cobrowse");
    expect(await agent.invoke("GLANCE.Cobrowse.Visitor.startSession", { sessionKey: "starter" })).toHaveProperty("ok");
    await told.next("sessionstarting");
    const showing = new Showing(stage, { visitorid: "starter" });
    const viewer = await showing.watch();
    await viewer.standing("asking");
    expect(agent.journal.names).not.toContain("visitorsessionstart");
    await agree(page);
    await told.next("sessionstart");
    await agent.journal.next("visitorsessionstart");
    await viewer.sees("body");
    expect(await page.evaluate(() => (window as any).GLANCE.Cobrowse.Visitor.inSession())).toBe(true);
    await page.evaluate(() => (window as any).GLANCE.Cobrowse.Visitor.stopSession());
    expect(await agent.journal.next("visitorsessionend")).toMatchObject({ reason: "visitor" });
    await told.next("sessionend");
    await viewer.standing("ended");
  });

  test("startSession, invoked after the terms were accepted, starts without asking again", async () => {
    const { page } = await visitorOnPage("accepter");
    const agent = await watching("accepter");
    await agent.invoke("GLANCE.Cobrowse.Visitor.showTerms", {});
    await page.click("[data-glance-terms] >> [part~=accept]");
    await agent.journal.next("terms", ({ status }) => status === "accepted");
    await agent.invoke("GLANCE.Cobrowse.Visitor.startSession", {});
    await agent.journal.next("visitorsessionstart");
    await (await new Showing(stage, { visitorid: "accepter" }).watch()).sees("body");
  });

  test("visibility: told on each change and not at connect", async () => {
    const { page } = await visitorOnPage("glimpsed");
    const agent = await watching("glimpsed");
    await setVisibility(page, "hidden");
    expect(await agent.journal.next("visibility")).toEqual({ visibility: "hidden" });
    await setVisibility(page, "visible");
    await agent.journal.next("visibility", ({ visibility }) => visibility === "visible");
    expect(agent.journal.all("visibility")).toHaveLength(2);
  });
});

describe("failures", () => {
  test("onerror with connfail authorization, for a missing and for a bad token", async () => {
    for (const token of [null, "no.such.token"]) {
      const agent = await (await stage.agent({ token })).make({ visitorid: "unseen" });
      await agent.connect();
      expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "authorization" });
      expect(agent.journal.names).toEqual(["error"]);
    }
  });

  test("onerror with connfail error, for what the server refuses", async () => {
    const agent = await (await stage.agent()).make({ visitorid: "not a visitor id!" });
    await agent.connect();
    expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "error" });
  });

  test("onerror with connfail connection, when the server cannot be reached; onfail connection", async () => {
    const presenceserver = await closedPort();
    const desk = await stage.agent();
    await desk.page.clock.install();
    const agent = await desk.make({ visitorid: "far", presenceserver });
    await agent.connect();
    const outcomes = [await agent.lookup(), await agent.signal(1), await agent.invoke("GLANCE.a")];
    expect(outcomes).toEqual([{ fail: "connection" }, { fail: "connection" }, { fail: "connection" }]);
    expect(agent.journal.names).toEqual([]);
    // An outage is told when it has lasted.
    await desk.page.clock.runFor(20_000);
    expect(await agent.journal.next("error")).toEqual({ error: "connfail", detail: "connection" });
    expect(agent.journal.names).toEqual(["error"]);
  });

  test("onfail with authorization, for a missing and for a bad token", async () => {
    for (const token of [null, "no.such.token"]) {
      const agent = await (await stage.agent({ token })).make({ visitorid: "unseen" });
      const outcomes = [await agent.lookup(), await agent.signal(1), await agent.invoke("GLANCE.a")];
      expect(outcomes).toEqual([{ fail: "authorization" }, { fail: "authorization" }, { fail: "authorization" }]);
    }
  });

  test("onfail with visitornotpresent, for one who was never there and for one who left", async () => {
    const page = await stage.agent();
    const absent = await page.make({ visitorid: "never-there" });
    expect([await absent.signal(1), await absent.invoke("GLANCE.a")]).toEqual([{ fail: "visitornotpresent" }, { fail: "visitornotpresent" }]);
    const visitor = await visitorOnPage("left");
    const agent = await watching("left");
    await visitor.page.close();
    await agent.journal.next("visitorconn", ({ connected }) => !connected);
    expect(await agent.signal("too late")).toEqual({ fail: "visitornotpresent" });
    expect(await agent.lookup()).toEqual({ ok: {} });
  });

  /** An address of this machine where nobody listens. */
  async function closedPort(): Promise<string> {
    const { createServer } = await import("node:net");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    return `127.0.0.1:${port}`;
  }
});
