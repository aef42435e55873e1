/** Desktops made for Genesys Co-browse: the controller kit, `slave.html` in their frames, and what they attach. */

import { expect, describe, test } from "vitest";
import { press } from "./support/cobrowse";
import { Line } from "./support/bayeux";
import { eventually } from "./support/journal";
import { begins, customer, GenesysDesktop } from "./support/genesys";
import { mintToken } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";

const stage = useStage({
  settings: {
    groupFacades: { genesys: "code", genesys_frames: ["http://crm.localhost:1"] },
    bayeux: { max_interval_ms: 1500, timeout_ms: 2000 },
    // All of a file's desktops come from one address.
    limits: { guesses_per_minute: 1000, guesses_per_minute_total: 1000 },
  },
});
const HISTORY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The record of a session in the history. */
async function record(id: string): Promise<any> {
  const headers = { Authorization: `Bearer ${mintToken()}` };
  return (await fetch(`${stage.server.origin}/cobrowse/rest/history/sessions/${id}`, { headers })).json();
}

/** Who is in the session with this token. */
async function members(token: string): Promise<{ role: string; connected: boolean }[]> {
  const { body } = await stage.server.rest("GET", "/groups/12345/sessions", mintToken());
  return body.sessions.find(({ code }: { code: string }) => code === token)?.members ?? [];
}

describe("each way in which a session closes", () => {
  const closings = {
    "the customer exits": { why: "exited", end: async (_: GenesysDesktop, tab: any) => press(tab, "stop") },
    "the agent exits": {
      why: "exited",
      end: async (desktop: GenesysDesktop) => {
        await desktop.frame.click("#end");
        await desktop.frame.click("#ending button[value=end]");
      },
    },
    "the interaction is transferred": { why: "transferred", end: (desktop: GenesysDesktop) => desktop.close("transferred") },
    "the interaction times out": { why: "timedout", end: (desktop: GenesysDesktop) => desktop.close("timedout") },
    "the interaction is closed": { why: "closed", end: (desktop: GenesysDesktop) => desktop.close("closed") },
  };

  test.each(Object.entries(closings))("%s: the picture shows in the frame, and the data is right", async (_, { why, end }) => {
    const { showing, tab, token } = await customer(stage);
    const desktop = await GenesysDesktop.open(stage);
    const address = await desktop.join(token);
    expect(address).toBe(`${stage.server.origin}/cobrowse/slave.html#nosidinput=1&sid=${token}`);
    const joined = await desktop.journal.next("attach");
    expect(joined).toEqual({ CoBrowseAssociated: "Yes", CoBrowseSessionsQuantity: 1, CoBrowseSessionId: expect.stringMatching(HISTORY) });
    await desktop.view.sees("#one");
    const activated = await desktop.journal.next("attach");
    expect(activated).toEqual({ CoBrowseStartTime: expect.stringMatching(/^\d{13}$/) });
    const closed = await end(desktop, tab);
    const over = await desktop.journal.next("over");
    const { activationTime, deactivationTime } = await record(joined.CoBrowseSessionId);
    expect(String(activationTime)).toBe(activated.CoBrowseStartTime);
    const last = { CoBrowseAssociated: "No", CoBrowseDuration: deactivationTime - activationTime };
    expect(await desktop.journal.next("attach")).toEqual(last);
    expect(over).toEqual({ why, data: { ...joined, ...activated, ...last } });
    if (why !== "exited") expect(closed).toEqual(over.data);
    await showing.visitor.journal.next("sessionend");
    await desktop.view.standing("ended");
    expect(desktop.errors).toEqual([]);
  });
});

test("an interaction's second session counts on, by the chat's message", async () => {
  const { tab, token } = await customer(stage);
  const desktop = await GenesysDesktop.open(stage);
  expect(await desktop.hear(`here it is: {start:${token}}`)).toBeUndefined();
  await desktop.hear(`{start:${token}}`);
  await desktop.view.sees("#one");
  expect(await desktop.join(token)).toBe("taken");
  await press(tab, "stop");
  const first = (await desktop.journal.next("over")).data;
  await desktop.hear(`{start:${await begins(tab)}}`);
  await desktop.view.sees("#one");
  await desktop.journal.next("attach", ({ CoBrowseSessionsQuantity }) => CoBrowseSessionsQuantity === 2);
  const second = await desktop.close("closed");
  expect(second.CoBrowseSessionId).not.toBe(first.CoBrowseSessionId);
  expect(second).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 2, CoBrowseStartTime: first.CoBrowseStartTime });
  expect(second.CoBrowseDuration).toBeGreaterThan(first.CoBrowseDuration);
});

test("a session that no agent's page joined ends without times", async () => {
  const { token } = await customer(stage);
  const desktop = await GenesysDesktop.open(stage);
  const data = await desktop.page.evaluate(async (token) => {
    const { interaction } = window as any;
    await interaction.join(token);
    return interaction.close("closed");
  }, token);
  expect(data).toEqual({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseSessionId: expect.stringMatching(HISTORY) });
  expect(await desktop.join("123456789")).toBe("notfound");
});

test("where the answer names the session's server, all that follows goes there", async () => {
  const { token } = await customer(stage);
  const line = await Line.to(stage.server.host);
  const desktop = await GenesysDesktop.open(stage);
  await desktop.page.route(`**/rest/live/sessions/${token}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), sessionServerUrl: `${line.origin}/cobrowse` } });
  });
  const asked: string[] = [];
  desktop.page.on("request", (request) => asked.push(request.url()));
  desktop.page.on("websocket", (socket) => asked.push(socket.url().replace("ws:", "http:")));
  expect(await desktop.join(token)).toBe(`${line.origin}/cobrowse/slave.html#nosidinput=1&sid=${token}`);
  await desktop.view.sees("#one");
  await desktop.close("closed");
  expect(asked.filter((url) => url.startsWith(stage.server.origin))).toEqual([`${stage.server.origin}/cobrowse/rest/live/sessions/${token}`]);
  await line.close();
});

test("a controller whose connection is cut finds its session again, and none is counted twice", async () => {
  const { token } = await customer(stage);
  const line = await Line.to(stage.server.host);
  const desktop = await GenesysDesktop.open(stage, { server: line.origin });
  await desktop.join(token);
  await desktop.view.sees("#one");
  await desktop.journal.next("attach", ({ CoBrowseStartTime }) => CoBrowseStartTime);
  const controllers = async (): Promise<number> => (await members(token)).filter(({ role }) => role === "controller").length;
  expect(await controllers()).toBe(1);
  line.cut();
  // The server remembers a client that is silent for a while.
  await eventually(controllers, (count) => count === 0);
  line.mend();
  await eventually(controllers, (count) => count === 1);
  await desktop.view.standing("live");
  const data = await desktop.close("closed");
  expect(data).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseDuration: expect.any(Number) });
  await line.close();
});

test("an interaction is let go of with its data though the server cannot be reached", async () => {
  const { token } = await customer(stage);
  const line = await Line.to(stage.server.host);
  const desktop = await GenesysDesktop.open(stage, { server: line.origin });
  await desktop.join(token);
  line.cut();
  expect(await desktop.close("closed")).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseSessionId: expect.stringMatching(HISTORY) });
  await desktop.journal.next("lost");
  expect(await desktop.page.evaluate(() => (window as any).interaction.hasSession)).toBe(false);
  await line.close();
});

test("a controller finds its session again when the server was started anew", async () => {
  const { showing, token } = await customer(stage);
  const desktop = await GenesysDesktop.open(stage);
  await desktop.join(token);
  await desktop.view.sees("#one");
  await stage.server.stop();
  await stage.server.launch();
  // The seat that it had waits for a while, as that of somebody whose connection is lost.
  await eventually(() => members(token), (all) => ["agent", "controller"].every((role) => all.some((member) => member.role === role && member.connected)));
  const data = await desktop.close("closed");
  expect(data).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseDuration: expect.any(Number) });
  await showing.visitor.journal.next("sessionend");
});

describe("the frames of the documentation, word for word", () => {
  const shown = (fragment: string): string => `<iframe src="http://<CB_SERVER>/cobrowse/slave.html${fragment}"></iframe>`.replace("<CB_SERVER>", stage.server.host);

  test("a session that the address names is joined at once, and again after a reload", async () => {
    const { token } = await customer(stage);
    const desktop = await GenesysDesktop.open(stage, { frame: shown(`#sid=${token}`) });
    const frame = await desktop.view.sees("#one");
    expect(await frame.textContent("#one")).toBe("One");
    expect(await desktop.frame.isVisible("#sid-form")).toBe(false);
    const loaded = desktop.frame.waitForNavigation();
    await desktop.frame.evaluate(() => location.reload());
    await loaded;
    await desktop.view.sees("#one");
    expect((await members(token)).filter(({ role }) => role === "agent")).toHaveLength(1);
  });

  test("without one the page asks for it, says what is wrong, and works by the keys alone", async () => {
    const { token } = await customer(stage);
    const desktop = await GenesysDesktop.open(stage, { frame: shown("#debug=1") });
    const told: string[] = [];
    desktop.page.on("console", (message) => told.push(message.text()));
    await desktop.frame.focus("#sid");
    const type = async (text: string): Promise<void> => {
      await desktop.page.keyboard.press("Control+A");
      await desktop.page.keyboard.type(text);
      await desktop.page.keyboard.press("Enter");
    };
    const says = (words: string): Promise<unknown> => desktop.page.frameLocator("iframe").locator("#sid-error", { hasText: words }).waitFor();
    await type("12345");
    await says("nine digits");
    await type("123456789");
    await says("No session has this ID");
    expect(await desktop.frame.getAttribute("#sid", "aria-invalid")).toBe("true");
    await type(`${token.slice(0, 3)} ${token.slice(3, 6)} ${token.slice(6)}`);
    await desktop.view.sees("#one");
    expect(told.some((line) => line.startsWith("slave.html: live"))).toBe(true);
    // The next session in the same frame.
    const next = await customer(stage);
    await desktop.frame.click("#end");
    await desktop.frame.click("#ending button[value=end]");
    await desktop.view.standing("ended");
    await desktop.frame.fill("#sid", next.token);
    await desktop.frame.press("#sid", "Enter");
    await desktop.view.sees("#one");
  });

  test("with nosidinput=1 there is no field of ours", async () => {
    const desktop = await GenesysDesktop.open(stage, { frame: shown("#nosidinput=1") });
    await desktop.view.standing("idle");
    expect(await desktop.frame.isVisible("#sid")).toBe(false);
    const wrong = await GenesysDesktop.open(stage, { frame: shown("#nosidinput=1&sid=123456789") });
    await wrong.page.frameLocator("iframe").locator("#notice-text", { hasText: "No session has this ID" }).waitFor();
  });

  test("the visitor is asked before anything is shown, where he has not agreed", async () => {
    const { showing, tab } = await customer(stage);
    await tab.evaluate(() => (window as any).visitor.endSession());
    await showing.visitor.journal.next("sessionend");
    const token = await tab.evaluate(async () => {
      const { visitor } = window as any;
      const entered = new Promise<{ code: string }>((resolve) => visitor.on("sessionentered", resolve));
      await visitor.startSession({ withcode: true, digits: 9 });
      return (await entered).code;
    });
    const desktop = await GenesysDesktop.open(stage, { frame: shown(`#sid=${token}`) });
    await desktop.view.standing("asking");
    await press(tab, "decline");
    await desktop.view.standing("ended");
    expect(await desktop.view.picture("#one")).toBeUndefined();
  });
});

test("the page stands in frames of the group's desktops only", async () => {
  const address = `${stage.server.origin}/cobrowse/slave.html`;
  const policy = (await fetch(address)).headers.get("content-security-policy") ?? "";
  expect(/frame-ancestors (.*)$/.exec(policy)?.[1]?.split(" ").sort()).toEqual(["'self'", "http://crm.localhost:1", stage.site.origin].sort());
  const { context, diary } = await stage.person("stranger");
  const page = await context.newPage();
  // The same machine by another name is another origin.
  await page.goto(stage.site.page("/stranger", html({ body: `<iframe src="${address}"></iframe>` })).replace("127.0.0.1", "localhost"));
  await diary.journal("stranger").until(() => diary.errors.some((error) => error.includes("frame-ancestors")), "refusal");
});
