// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeServer, settle, type FakeSocket } from "../../core/testing";
import { readEvents } from "./addresses";
import { forgetTicket, keepTicket, takeTicket } from "./link";
import { Seat } from "./seat";
import { Tools, type Mode } from "./tools";
import { ended, notices } from "./words";

describe("the ticket", () => {
  beforeEach(() => sessionStorage.clear());

  test("is taken out of the address at once, and kept for the tab", () => {
    history.replaceState(null, "", "/watch/#secret-ticket");
    expect(takeTicket(window)).toBe("secret-ticket");
    expect(location.href).not.toContain("secret");
    expect(takeTicket(window)).toBe("secret-ticket");
    keepTicket(window, "seat");
    expect(takeTicket(window)).toBe("seat");
    forgetTicket(window);
    expect(takeTicket(window)).toBeUndefined();
  });

  test("of a new link goes before the kept one", () => {
    keepTicket(window, "old");
    history.replaceState(null, "", "/watch/#new");
    expect(takeTicket(window)).toBe("new");
  });
});

describe("what comes from a visitor's page", () => {
  const ASSETS = "https://help.test/watch/assets/key";
  const page = { element: () => null };
  const read = (events: object[]): any[] => readEvents(JSON.stringify(events), 3, ASSETS, page);
  const node = (tagName: string, attributes: object) => ({
    type: 2,
    timestamp: 1,
    data: { node: { type: 0, id: 1, childNodes: [{ type: 2, id: 2, tagName, attributes, childNodes: [] }] }, initialOffset: { top: 0, left: 0 } },
  });
  const told = (tagName: string, attributes: object) => read([node(tagName, attributes)])[0].data.node.childNodes[0].attributes;

  test("finds its assets under the session's address and its own number", () => {
    expect(told("img", { src: "vestibule-asset:7", srcset: "vestibule-asset:8 2x" })).toEqual({ src: `${ASSETS}/3/7`, srcset: `${ASSETS}/3/8 2x` });
    expect(told("div", { style: `background: url("vestibule-asset:7")` })).toEqual({ style: `background: url("${ASSETS}/3/7")` });
    expect(told("style", { _cssText: `a { background: url("vestibule-asset:9") }` })._cssText).toContain(`url("${ASSETS}/3/9")`);
  });

  test("loads nothing from anywhere else, runs nothing, and leads nowhere, whatever his browser sent", () => {
    expect(told("img", { src: "https://evil.test/a.png", onerror: "alert(1)" })).toEqual({});
    expect(told("img", { src: `${ASSETS}/4/7` })).toEqual({});
    expect(told("a", { href: "javascript:alert(1)" })).toEqual({ href: "#" });
    expect(told("a", { href: "https://shop.test/" })).toEqual({ href: "#" });
    expect(told("iframe", { src: "https://evil.test", srcdoc: "<script>" })).toEqual({});
    expect(told("meta", { "http-equiv": "refresh", content: "0;url=https://evil.test" })).toEqual({});
    expect(told("div", { style: "background: url(https://evil.test/a.png)" })).toEqual({ style: `background: url("")` });
    expect(told("link", { rel: "stylesheet", href: "https://evil.test/a.css" })).toEqual({ rel: "stylesheet" });
    expect(told("object", { data: "https://evil.test" })).toEqual({});
  });

  test("is a list of events that are known, or nothing", () => {
    expect(read([{ type: 5, timestamp: 1, data: { tag: "x" } }, { type: 3, timestamp: 1, data: { source: 9 } }])).toEqual([]);
    expect(() => readEvents("{}", 3, ASSETS, page)).toThrow();
  });
});

describe("the seat", () => {
  let server: FakeServer;
  let seat: Seat;

  const open = (ticket: string | undefined): void => {
    server = new FakeServer();
    const { open: make } = server.environment;
    Object.assign(server.environment, { open: (url: string) => Object.assign(make(url), { addEventListener: () => {}, bufferedAmount: 0 }) });
    seat = new Seat("tab", "https://help.test", server.environment);
    seat.start(ticket);
  };
  const welcome = async (fields: object = {}): Promise<FakeSocket> => {
    const socket = server.socket.open();
    const common = { type: "welcome", role: "agent", session: "s", user: 2, visitorid: "ada", view: "off", consent: "asked", pages: [], members: [] };
    await socket.say({ ...common, permissions: { point: true, draw: true, control: true }, ticket: "seat", assets: "key", ...fields });
    return socket;
  };
  const event = (socket: FakeSocket, what: object): Promise<void> => socket.say({ type: "sessionevent", session: "s", sequence: 1, time: 0, event: what });
  const page = { epoch: 1, tab: "t", url: "https://shop.test/", title: "Shop", shown: true };

  test("goes through the states of a session", async () => {
    open("link");
    const standings: string[] = [];
    seat.events.on("changed", () => seat.standing === standings[standings.length - 1] || standings.push(seat.standing));
    const socket = await welcome();
    expect(socket.url).toBe("wss://help.test/v1/stream");
    expect(socket.last("hello")).toEqual({ type: "hello", ticket: "link", tab: "tab" });
    await event(socket, { what: "consent", to: "view", state: "given" });
    await event(socket, { what: "pages", pages: [page] });
    await event(socket, { what: "view", state: "on" });
    await event(socket, { what: "view", state: "paused" });
    await event(socket, { what: "view", state: "on" });
    await socket.drop(1006);
    await server.clock.pass(1_000);
    const again = await welcome({ view: "on", consent: "given", pages: [page] });
    expect(again.last("hello").ticket).toBe("seat");
    await event(again, { what: "ended", reason: "visitor", text: "bye" });
    await again.drop(4508);
    expect(standings).toEqual(["connecting", "asking", "absent", "live", "paused", "live", "reconnecting", "live", "ended"]);
    expect(seat.end).toEqual({ reason: "visitor", text: "bye" });
  });

  test("says what became of a link", async () => {
    open(undefined);
    expect(seat.standing).toBe("badlink");
    open("old");
    await server.socket.open().drop(4502);
    expect(seat.standing).toBe("badlink");
    open("full");
    const full = server.socket.open();
    await full.say({ type: "error", code: "toomany", message: "" });
    await full.drop(4508);
    expect(seat.standing).toBe("taken");
    open("over");
    await welcome();
    await server.socket.drop(4508);
    expect(seat.standing).toBe("ended");
  });

  test("knows when what the nodes share is away, as long as its socket lives", async () => {
    open("link");
    const socket = await welcome();
    const told: boolean[] = [];
    seat.events.on("changed", () => told.push(seat.degraded));
    await socket.say({ type: "degraded", degraded: true });
    await socket.say({ type: "degraded", degraded: false });
    await socket.say({ type: "degraded", degraded: true });
    await socket.drop(1006);
    expect(told.slice(0, 3)).toEqual([true, false, true]);
    expect([told.at(-1), seat.degraded]).toEqual([false, false]);
  });

  test("knows who else is there", async () => {
    open("link");
    const socket = await welcome();
    const ann = { user: 3, role: "agent", name: "Ann", connected: true };
    await event(socket, { what: "joined", member: ann });
    await event(socket, { what: "connection", user: 3, connected: false });
    expect(seat.members).toEqual([{ ...ann, connected: false }]);
    await event(socket, { what: "left", user: 3, reason: "left" });
    expect(seat.members).toEqual([]);
  });
});

describe("the tools", () => {
  let surface: HTMLElement;
  let frames: any[];
  let allowed: Mode[];
  let tools: Tools;

  beforeEach(() => {
    surface = document.createElement("div");
    surface.getBoundingClientRect = () => ({ left: 100, top: 50, width: 500, height: 350 }) as DOMRect;
    surface.setPointerCapture = () => {};
    document.body.append(surface);
    frames = [];
    allowed = ["cursor", "spotlight", "draw"];
    tools = new Tools({ surface, scale: () => 0.5, scroll: () => ({ x: 0, y: 1_000 }), allows: (mode) => allowed.includes(mode), tell: (frame) => frames.push(frame) });
  });
  afterEach(() => surface.remove());

  const point = (name: string, clientX = 0, clientY = 0): void => {
    surface.dispatchEvent(Object.assign(new Event(name, { bubbles: true }), { clientX, clientY, button: 0, pointerId: 1 }));
  };
  const key = (name: string, shiftKey = false): void => void surface.dispatchEvent(new KeyboardEvent("keydown", { key: name, shiftKey, cancelable: true }));
  const paced = () => new Promise((resolve) => setTimeout(resolve, 60));

  test("tell positions in the visitor's pixels, few in a second, and that they are gone", async () => {
    for (let x = 200; x <= 300; x += 10) point("pointermove", x, 100);
    await paced();
    point("pointerleave");
    expect(frames).toEqual([{ type: "cursor", x: 200, y: 100 }, { type: "cursor", x: 400, y: 100 }, { type: "cursor" }]);
  });

  test("draw on the page, wherever it is scrolled to", async () => {
    tools.choose("draw");
    point("pointerdown", 200, 100);
    point("pointermove", 210, 110);
    point("pointerup");
    await paced();
    const strokes = frames.filter(({ type }) => type === "stroke");
    expect(strokes.flatMap(({ points }) => points)).toEqual([[200, 1_100], [220, 1_120]]);
    expect(strokes.map(({ done }) => done)).toEqual([...strokes.slice(1).map(() => false), true]);
    expect(new Set(strokes.map(({ stroke }) => stroke)).size).toBe(1);
    await settle();
  });

  test("do not do what is not allowed", async () => {
    allowed = [];
    tools.choose("draw");
    point("pointerdown", 200, 100);
    point("pointermove", 210, 110);
    point("pointerup");
    await paced();
    expect(frames).toEqual([]);
  });

  test("are moved with the keys, within the page", async () => {
    tools.choose("spotlight");
    key("ArrowRight");
    await paced();
    for (let press = 0; press < 30; press += 1) key("ArrowLeft", true);
    await paced();
    key("Escape");
    await paced();
    expect(frames[0]).toEqual({ type: "spotlight", x: 512, y: 350 });
    expect(frames.slice(-2)).toEqual([{ type: "spotlight", x: 0, y: 350 }, { type: "spotlight" }]);
  });
});

test("every state has words, and every end its reason", () => {
  for (const [standing, { short, title, text }] of Object.entries(notices)) expect([standing, Boolean(short && (standing === "live" || (title && text)))]).toEqual([standing, true]);
  expect(ended("visitor", "bye").text).toBe("The visitor ended it. “bye” You can close this page.");
  expect(ended(undefined, undefined).text).toBe("You can close this page.");
});
