/** `site_connect` on a customer's page: its uses, functions and topics (`channelme.md`). */

import { expect, test } from "vitest";
import { ConnectPage, uses } from "./support/connect";
import { eventually } from "./support/journal";
import { travel } from "./support/page";
import { GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage();
/** Has room for one socket. */
const busy = useStage({ settings: { limits: { max_sockets: 1 } } });

test.each(Object.keys(uses) as (keyof typeof uses)[])("the %s use shows the code, and ready brings it", async (use) => {
  const script = `listen("~/site_connect/#"); ${use === "started" ? `site_connect.start("${GROUP}");` : ""}`;
  const visitor = await ConnectPage.open(stage, { use, script: use === "template" ? `addEventListener("load", () => { ${script} });` : script });
  const code = await visitor.code();
  expect(await visitor.journal.next("~/site_connect/ready")).toEqual({ code });
  const answer = await stage.server.rest("GET", `/groups/${GROUP}/visitors?uniqueid=${code}`, await stage.token());
  expect(answer.body.visitors).toHaveLength(1);
  expect(answer.body.visitors[0].data).toMatchObject({ title: "Test page", url: visitor.page.url() });
  expect(visitor.warnings).toEqual([]);
  expect(visitor.visitor.diary.errors).toEqual([]);
});

test("start is idempotent, fills in what the page draws anew, and the frame outlives a page that replaces its body", async () => {
  const visitor = await ConnectPage.open(stage, { use: "started", script: `listen("~/site_connect/#"); site_connect.start("${GROUP}"); site_connect.start("${GROUP}");` });
  const code = await visitor.code();
  const frame = await visitor.frame();
  await visitor.page.evaluate(() => {
    history.pushState({}, "", "/next");
    document.title = "Next";
    document.querySelector("main")!.innerHTML = `<b id="wwwchannelme">0000</b>`;
  });
  await visitor.call("start", GROUP);
  expect(await visitor.code()).toBe(code);
  expect(await visitor.frame()).toBe(frame);
  const visitorOf = async (): Promise<any> => (await stage.server.rest("GET", `/groups/${GROUP}/visitors?uniqueid=${code}`, await stage.token())).body.visitors[0];
  expect(await eventually(visitorOf, (found) => found?.data.title === "Next")).toMatchObject({ data: { url: `${stage.site.origin}/next` } });

  // What some single-page sites do: the frame goes with the body, and comes back as the same visitor with the same code.
  await visitor.page.evaluate(() => {
    const body = document.createElement("body");
    body.innerHTML = `<b id="wwwchannelme">0000</b>`;
    document.body.replaceWith(body);
  });
  await visitor.page.locator("iframe").waitFor({ state: "attached" });
  await visitor.call("start");
  expect(await visitor.code()).toBe(code);
  await visitor.listen("~pagesession/show_frame");
  expect(await visitor.page.locator("iframe").count()).toBe(1);
  // Ready once; to a page that is still the same, nothing new was to be said.
  expect(visitor.journal.names.filter((name) => name.startsWith("~/"))).toEqual(["~/site_connect/ready"]);
  expect(visitor.visitor.diary.errors).toEqual([]);
});

test("the code and the visitor stay over page changes, whatever becomes of the frame's own storage", async () => {
  const visitor = await ConnectPage.open(stage);
  const code = await visitor.code();
  const kept = await visitor.page.evaluate((group) => localStorage.getItem(`vestibule.anonymous.${group}`), GROUP);
  expect(kept).toMatch(/^~[0-9a-f]{32}$/);
  const frame = await visitor.frame();
  await frame.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  await visitor.page.goto(ConnectPage.put(stage, { path: "/second" }));
  expect(await visitor.code()).toBe(code);
  await visitor.page.reload();
  expect(await visitor.code()).toBe(code);
});

test("the frame is shown, minimized and hidden by the page, which hears of it", async () => {
  const visitor = await ConnectPage.open(stage);
  await visitor.code();
  await visitor.listen("~pagesession/+");
  const frame = visitor.page.locator("iframe");
  expect(await frame.isVisible()).toBe(false);
  const heights: number[] = [];
  for (const topic of ["~pagesession/show_frame", "~pagesession/minimize_frame", "~pagesession/hide_frame"]) {
    await visitor.publish(topic);
    await visitor.journal.next(topic);
    heights.push((await frame.boundingBox())?.height ?? 0);
  }
  expect(heights).toEqual([560, 52, 0]);
  expect(await frame.isVisible()).toBe(false);
  // Shown, it stays so on the next page.
  await visitor.publish("~pagesession/show_frame");
  await visitor.journal.next("~pagesession/show_frame");
  await visitor.page.reload();
  await frame.waitFor({ state: "visible" });
});

test("topics of the frame are acknowledged when they are in force there, and reach each subscription once", async () => {
  const visitor = await ConnectPage.open(stage, { script: `for (const filter of ["~pagesession/#", "#", "+/hide_frame", "~pagesession/hide_frame", "~pagesession/hide_frame"]) listen(filter);` });
  await visitor.code();
  for (const filter of ["~pagesession/#", "~pagesession/hide_frame", "~pagesession/hide_frame"]) await visitor.journal.next(`ack:${filter}`);
  await visitor.publish("~pagesession/hide_frame", { why: ["done"] });
  await visitor.journal.until(() => visitor.journal.all("~pagesession/hide_frame").length === 5, "five messages");
  expect(visitor.journal.all("~pagesession/hide_frame")).toEqual(Array(5).fill({ why: ["done"] }));
});

test("a wrong partner is an error at once, and a right one then works", async () => {
  const visitor = await ConnectPage.open(stage, { use: "started", script: `listen("~/site_connect/#"); site_connect.start("default_account");` });
  expect(await visitor.journal.next("~/site_connect/error")).toEqual({ reason: "group" });
  expect(visitor.warnings).toEqual(["site_connect: no contact code: group"]);
  await visitor.call("start", GROUP);
  const code = await visitor.code();
  expect(await visitor.journal.next("~/site_connect/ready")).toEqual({ code });
  expect(visitor.journal.names).not.toContain("~/site_connect/retry");
});

test("signals of the visitor reach the page's own scripts, and not the frame, which came later", async () => {
  const script = `import(${JSON.stringify(`${stage.server.origin}/sdk/visitor.js`)}).then(async ({ Visitor }) => {
    const visitor = new Visitor({ server: ${JSON.stringify(stage.server.origin)}, group: "${GROUP}" });
    visitor.on("signal", ({ data }) => note("connect", "signal", data));
    await visitor.connect();
    note("connect", "visitor", visitor.visitorid);
    site_connect.start("${GROUP}");
  });`;
  const visitor = await ConnectPage.open(stage, { use: "started", script });
  const visitorid = await visitor.journal.next("visitor");
  await visitor.code();
  const path = `/groups/${GROUP}/visitors/${visitorid}`;
  const token = await stage.token();
  const { tabs } = (await stage.server.rest("GET", path, token)).body;
  expect(tabs.map(({ listening }: { listening: boolean }) => listening).sort()).toEqual([false, true]);
  const sent = await stage.server.rest("POST", `${path}/signals`, token, { data: "hello" });
  expect(sent.status).toBeLessThan(300);
  expect(await visitor.journal.next("signal")).toBe("hello");
});

/** Lets the page's time run, as far as its tries need it. */
async function waitOut(visitor: ConnectPage): Promise<void> {
  for (let second = 0; second < 60 && !visitor.journal.names.includes("~/site_connect/error"); second += 1) {
    await visitor.page.clock.runFor(1_000);
    // The frame loads, or is refused, in real time.
    await visitor.page.waitForTimeout(100);
  }
}

test("a page of another origin gets no frame: it is told to try again, and then that it is in vain", async () => {
  const other = stage.site.origin.replace("127.0.0.1", "localhost");
  const visitor = await ConnectPage.open(stage, { use: "started", script: `listen("~/site_connect/#");`, path: "/foreign" });
  const warned: string[] = [];
  visitor.page.on("console", (message) => warned.push(message.text()));
  await visitor.page.clock.install();
  await visitor.page.goto(`${other}/foreign`);
  await visitor.call("start", GROUP);
  await waitOut(visitor);
  expect(visitor.journal.all("~/site_connect/retry")).toEqual(Array(5).fill({ reason: "frame" }));
  expect(visitor.journal.all("~/site_connect/error")).toEqual([{ reason: "frame" }]);
  expect(visitor.journal.names).not.toContain("~/site_connect/ready");
  expect(warned.some((text) => text.includes("frame-ancestors"))).toBe(true);
});

test("while the server is too busy the page hears retry, and ready once there is room", async () => {
  const first = await ConnectPage.open(busy);
  await first.code();
  const second = await ConnectPage.open(busy, { script: `listen("~/site_connect/#");` });
  for (let time = 0; time < 2; time += 1) expect(await second.journal.next("~/site_connect/retry")).toEqual({ reason: "unready" });
  await first.page.close();
  const code = await second.code();
  expect(await second.journal.next("~/site_connect/ready")).toEqual({ code });
  expect(second.journal.names).not.toContain("~/site_connect/error");
});

test("a server that stays away is an error; a fresh start tries again, and a server that is back is noticed by itself", async () => {
  const visitor = await ConnectPage.open(busy, { use: "started", script: `listen("~/site_connect/#");` }, (page) => page.clock.install());
  await busy.server.stop();
  await visitor.call("start", GROUP);
  await waitOut(visitor);
  expect(visitor.journal.all("~/site_connect/retry")).toHaveLength(5);
  expect(visitor.journal.all("~/site_connect/error")).toEqual([{ reason: "frame" }]);
  await busy.server.launch();
  await visitor.call("start", GROUP);
  await visitor.page.clock.resume();
  const code = await visitor.code();
  expect(await visitor.journal.next("~/site_connect/ready")).toEqual({ code });

  // Killed, it remembers nothing: there is another code, without a word of trouble.
  await busy.server.stop("SIGKILL");
  await busy.server.launch();
  const fresh = await visitor.code(code);
  expect(await visitor.journal.next("~/site_connect/new_code")).toEqual({ code: fresh });
  expect(visitor.journal.all("~/site_connect/error")).toHaveLength(1);
});

test("what others post to the page or to the frame changes nothing", async () => {
  const visitor = await ConnectPage.open(stage, { script: `listen("~/site_connect/#"); listen("~pagesession/#");` });
  const code = await visitor.code();
  await visitor.journal.next("ack:~pagesession/#");
  const frame = await visitor.frame();
  const channel = "vestibule.site_connect.1";
  const says = { channel, say: "code", code: "000000", place: { url: "https://evil.example/", title: "", referrer: "" }, kept: {} };
  const before = visitor.journal.entries.length;
  // To the page: by itself, by another frame in it, of the same origin as ours or not.
  await visitor.page.evaluate(async ({ says, origin }) => {
    postMessage(says, "*", [new MessageChannel().port1]);
    const other = document.createElement("iframe");
    other.src = `${origin}/site_connect/frame?partner=12345`;
    other.name = "other";
    await new Promise((loaded) => {
      other.onload = loaded;
      document.body.append(other);
    });
  }, { says, origin: stage.server.origin });
  const other = visitor.page.frames().find((one) => one.name() === "other")!;
  await other.evaluate((says) => parent.postMessage(says, "*", [new MessageChannel().port1]), says);
  // To the frame: by another frame, and by the page that it speaks with already.
  await visitor.page.evaluate((says) => {
    for (const target of [...document.querySelectorAll("iframe")]) target.contentWindow!.postMessage({ ...says, say: "stop" }, "*", [new MessageChannel().port1]);
  }, says);
  await other.evaluate((says) => (parent[0] as Window).postMessage(says, "*", [new MessageChannel().port1]), says);
  await visitor.publish("~pagesession/own", "still here");
  expect(await visitor.journal.next("~pagesession/own")).toBe("still here");
  expect(visitor.journal.entries.slice(before).map(({ name }) => name)).toEqual(["~pagesession/own"]);
  expect(await visitor.code()).toBe(code);
  expect(frame.isDetached()).toBe(false);
});

test("nothing under ~/ is ever said to the frame, and what cannot be copied is told to the developer", async () => {
  const visitor = await ConnectPage.open(stage, {
    script: `
      const { postMessage } = MessagePort.prototype;
      MessagePort.prototype.postMessage = function (message, ...rest) {
        note("port", "sent", JSON.stringify(message));
        return postMessage.call(this, message, ...rest);
      };
      listen("~/#");`,
  });
  await visitor.code();
  await visitor.publish("~/secret/topic", { very: "secret" });
  expect(await visitor.journal.next("~/secret/topic")).toEqual({ very: "secret" });
  await visitor.listen("#");
  await visitor.publish("~pagesession/said", "in the open");
  await visitor.journal.next("~pagesession/said");
  const sent = visitor.visitor.diary.journal("port").all("sent").join("\n");
  expect(sent).toContain("in the open");
  expect(sent).not.toContain("~/");
  expect(sent).not.toContain("secret");
  await visitor.page.evaluate(() => (window as any).site_connect.publish("~pagesession/said", () => {}));
  expect(visitor.warnings.at(-1)).toBe("site_connect: cannot publish to ~pagesession/said: the message cannot be copied");
});

test("a page with site_connect comes back from the back-forward cache, and is connected again", async () => {
  const visitor = await ConnectPage.open(stage, { script: `addEventListener("pageshow", ({ persisted }) => persisted && note("connect", "restored", null)); listen("~/site_connect/#");` });
  const code = await visitor.code();
  await visitor.page.goto(stage.site.page("/elsewhere", "<title>Elsewhere</title>"));
  await travel(visitor.page, -1);
  await visitor.journal.next("restored");
  await visitor.listen("~pagesession/show_frame");
  const connected = async (): Promise<number> => (await stage.server.rest("GET", `/groups/${GROUP}/visitors?uniqueid=${code}`, await stage.token())).body.visitors?.[0]?.sockets;
  await eventually(connected, (sockets) => sockets === 1);
  expect(await visitor.code()).toBe(code);
});
