/** Upscope's interfaces: its embedded session control, by the seed's own snippets. */

import { expect, test } from "vitest";
import { agree, press, Showing } from "./support/cobrowse";
import { Desktop, watchLink } from "./support/desktop";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";

const stage = useStage();

const PAGE = { body: `<h1 id="one">One</h1><p>Kettles are on the second shelf.</p>` };
const ALL = ["waiting", "pendingRequest", "active", "snapshotReceived", "viewerReady"];

async function visitor(): Promise<{ showing: Showing; tab: Awaited<ReturnType<Showing["open"]>> }> {
  const showing = new Showing(stage);
  return { showing, tab: await showing.open("/one", PAGE) };
}

test("each status comes once and in order, and nothing of ours is shown but the page", async () => {
  const { showing, tab } = await visitor();
  const desktop = await Desktop.on(stage, showing.visitorid);
  await desktop.status("pendingRequest");
  expect(desktop.journal.all("currentColor")).toEqual([{ type: "currentColor", color: "#e4572e" }]);
  await agree(tab);
  await desktop.status("viewerReady");
  await desktop.sees("#one");
  expect(desktop.statuses).toEqual(ALL);
  expect(new URL(desktop.frame.url()).pathname).toBe("/watch/12345");
  for (const part of [".top", ".tools", ".skip", "#notice"]) expect(await desktop.frame.isVisible(part)).toBe(false);
  await desktop.instruct({ action: "endSession" });
  await desktop.status("terminated");
  expect(desktop.statuses).toEqual([...ALL, "terminated"]);
  expect(desktop.journal.all("sessionStatusUpdate")[0]).toEqual({ type: "sessionStatusUpdate", sessionStatus: "waiting" });
  await showing.visitor.journal.next("sessionend");
  expect(desktop.errors).toEqual([]);
});

test("a reload of the frame tells the present status once more, and asks nobody again", async () => {
  const { showing, tab } = await visitor();
  const desktop = await Desktop.on(stage, showing.visitorid);
  await agree(tab);
  await desktop.status("viewerReady");
  await desktop.reload();
  await desktop.status("viewerReady");
  await desktop.sees("#one");
  await desktop.instruct({ action: "endSession" });
  await desktop.status("terminated");
  expect(desktop.statuses).toEqual([...ALL, "viewerReady", "terminated"]);
  expect(desktop.journal.all("currentColor")).toHaveLength(2);
  await desktop.reload();
  await desktop.status("terminated");
});

test("a visitor who refuses, and one who ends it, terminate it", async () => {
  const refusing = await visitor();
  const refused = await Desktop.on(stage, refusing.showing.visitorid);
  await refused.status("pendingRequest");
  await press(refusing.tab, "decline");
  await refused.status("terminated");
  expect(refused.statuses).toEqual(["waiting", "pendingRequest", "terminated"]);

  const { showing, tab } = await visitor();
  const ended = await Desktop.on(stage, showing.visitorid);
  await agree(tab);
  await ended.status("viewerReady");
  await tab.evaluate(() => (window as any).visitor.endSession());
  await ended.status("terminated");
  expect(ended.statuses).toEqual([...ALL, "terminated"]);
});

test("a visitor who has agreed already is not asked", async () => {
  const { showing, tab } = await visitor();
  await tab.evaluate(() => (window as any).visitor.startSession({ agreed: true }));
  const desktop = await Desktop.on(stage, showing.visitorid);
  await desktop.status("viewerReady");
  expect(desktop.statuses).toEqual(ALL.filter((status) => status !== "pendingRequest"));
});

test("an agent who goes and comes again by another link sees it at once, and nobody is asked again", async () => {
  const { showing, tab } = await visitor();
  const first = await Desktop.on(stage, showing.visitorid);
  await agree(tab);
  await first.status("viewerReady");
  await first.page.close();
  const second = await Desktop.on(stage, showing.visitorid);
  await second.status("viewerReady");
  await second.sees("#one");
  expect(second.statuses).toEqual(ALL.filter((status) => status !== "pendingRequest"));
});

test("the agent's tool and colour follow the instructions, and unknown ones change nothing", async () => {
  const { showing, tab } = await visitor();
  const desktop = await Desktop.on(stage, showing.visitorid);
  await agree(tab);
  await desktop.status("viewerReady");
  const mode = (): Promise<string | null> => desktop.frame.getAttribute("#surface", "data-mode");
  const becomes = (expected: string): Promise<unknown> => eventually(mode, (now) => now === expected);
  await becomes("cursor");
  for (const [asked, tool] of [["draw", "draw"], ["pointer", "spotlight"], ["cursor", "cursor"]] as const) {
    await desktop.instruct({ action: "setMode", mode: asked });
    await becomes(tool);
  }
  const colours = ["#f2b705", "#2b8a3e", "#1f6feb", "#862e9c", "#e4572e"];
  for (const colour of colours) {
    await desktop.instruct({ action: "switchColor" });
    expect(await desktop.journal.next("currentColor", ({ color }) => color === colour)).toEqual({ type: "currentColor", color: colour });
  }
  for (const odd of [{ action: "setMode", mode: "laser" }, { action: "dance" }, { action: "switchColor", color: "no colour" }, {}]) await desktop.instruct(odd);
  await desktop.instruct({ action: "switchColor", color: "rebeccapurple" });
  expect((await desktop.journal.next("currentColor", ({ color }) => !colours.includes(color))).color).toBe("#663399");
  expect(await mode()).toBe("cursor");

  // What is drawn has that colour, on the visitor's page too.
  await desktop.instruct({ action: "setMode", mode: "draw" });
  await becomes("draw");
  await desktop.page.mouse.move(200, 200);
  await desktop.page.mouse.down();
  await desktop.page.mouse.move(300, 260, { steps: 4 });
  await desktop.page.mouse.up();
  const stroke = (): Promise<string | null | undefined> => tab.evaluate(() => (window as any).sessionRoot?.querySelector("polyline")?.getAttribute("stroke"));
  await eventually(stroke, (colour) => colour === "#663399");
});

test("nobody but the page around is listened to", async () => {
  const { showing, tab } = await visitor();
  const desktop = await Desktop.on(stage, showing.visitorid);
  await agree(tab);
  await desktop.status("viewerReady");
  // A frame beside it, and the frame itself.
  await desktop.page.evaluate(() => {
    const other = document.createElement("iframe");
    document.body.append(other);
    const script = other.contentDocument!.createElement("script");
    script.textContent = `parent.frames[0].postMessage({ action: "endSession" }, "*")`;
    other.contentDocument!.body.append(script);
  });
  await desktop.frame.evaluate(() => window.postMessage({ action: "endSession" }, "*"));
  await desktop.instruct({ action: "switchColor" });
  await desktop.journal.next("currentColor", ({ color }) => color === "#f2b705");
  await desktop.sees("#one");
  expect(desktop.statuses).toEqual(ALL);
});

test("at the end the agent is taken where the link says", async () => {
  const { showing, tab } = await visitor();
  const on_end_url = stage.site.page("/after", "<h1>Thank you</h1>");
  const desktop = await Desktop.on(stage, showing.visitorid, { branding: { naked: "page_only", on_end_url } });
  await agree(tab);
  await desktop.status("viewerReady");
  await desktop.instruct({ action: "endSession" });
  await desktop.status("terminated");
  await desktop.page.frameLocator("#upscope-iframe").getByText("Thank you").waitFor();
});

test("a link that opens nothing says so, and shows where another try begins", async () => {
  const { showing } = await visitor();
  const retry_url = `${stage.site.origin}/again`;
  const link = await watchLink(stage, showing.visitorid, { branding: { naked: "page_only", retry_url } });
  await (await Desktop.open(stage, link)).status("waiting");
  const second = await Desktop.open(stage, link);
  await second.status("terminated");
  expect(second.statuses).toEqual(["waiting", "terminated"]);
  const again = second.page.frameLocator("#upscope-iframe").getByRole("link", { name: "Try again" });
  expect(await again.getAttribute("href")).toBe(retry_url);
});

test("messages go to the origin that the link names, and to no other", async () => {
  const { showing, tab } = await visitor();
  const named = await Desktop.on(stage, showing.visitorid, { parent_origin: stage.site.origin });
  await named.status("pendingRequest");
  await press(tab, "decline");
  await named.status("terminated");
});
