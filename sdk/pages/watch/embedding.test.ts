// @vitest-environment happy-dom
import { beforeEach, describe, expect, test, vi } from "vitest";
import { embeddedIn } from "../../facades/upscope/embedded";
import { nextColour } from "./colours";
import { Progress, type Stage } from "./embedding";
import { KeptLink, type LinkTerms } from "./kept-link";

describe("how far a session came", () => {
  const told = (before: Stage | undefined, ...reached: Stage[]): Stage[] => {
    const stages: Stage[] = [];
    const progress = new Progress((stage) => stages.push(stage), before);
    for (const stage of reached) progress.reach(stage);
    return stages;
  };

  test("is told once and in order, whatever is left out", () => {
    expect(told(undefined, "waiting", "asking", "started", "received", "visible", "visible", "over")).toEqual(["waiting", "asking", "started", "received", "visible", "over"]);
    expect(told(undefined, "visible")).toEqual(["waiting", "started", "received", "visible"]);
    expect(told(undefined, "asking", "over", "visible", "over")).toEqual(["waiting", "asking", "over"]);
    // A visitor who pauses, or whose page is gone, is seen again: that is not another session.
    expect(told(undefined, "visible", "waiting", "asking", "visible")).toEqual(["waiting", "started", "received", "visible"]);
  });

  test("is told once more after a reload, and goes on from there", () => {
    expect(told("received", "waiting", "started", "visible")).toEqual(["received", "visible"]);
    expect(told("over", "over")).toEqual(["over"]);
  });
});

describe("a link in the path", () => {
  const terms: LinkTerms = { group: "12345", naked: "page_only", retry_url: "https://desk.test/again", on_end_url: null, parent: null, closes: true };
  const open = (path: string, told: LinkTerms | "" = ""): KeptLink | undefined => {
    history.replaceState(null, "", path);
    document.body.dataset["link"] = told && JSON.stringify(told);
    return KeptLink.of(window, "tab");
  };
  const reload = (): KeptLink | undefined => {
    document.body.dataset["link"] = "";
    return KeptLink.of(window, "another");
  };
  const LINK = `/watch/${"b".repeat(90)}.${"s".repeat(43)}`;

  beforeEach(() => sessionStorage.clear());

  test("is taken out of the address at once, and kept for this frame's reloads", () => {
    const link = open(LINK, terms)!;
    expect([link.ticket, link.tab, link.terms]).toEqual([LINK.slice(7), "tab", terms]);
    expect(location.pathname).toBe("/watch/12345");
    link.keep({ ticket: "seat" });
    link.keep({ stage: "visible" });
    expect(JSON.stringify(Object.entries(sessionStorage))).not.toContain("bbbb");
    const again = reload()!;
    expect([again.ticket, again.tab, again.stage, again.terms]).toEqual(["seat", "tab", "visible", terms]);
  });

  test("that is opened once more in the same tab goes on with its seat", () => {
    open(LINK, terms)!.keep({ ticket: "seat" });
    expect(open(LINK, terms)!.ticket).toBe("seat");
    const other = `${LINK.slice(0, -1)}u`;
    expect(open(other, terms)!.ticket).toBe(other.slice(7));
  });

  test("is none where the server believes nothing of it, or where there is none", () => {
    for (const path of ["/watch/forged.link", "/watch/%E0%A4%A"]) expect(open(path)).toBeUndefined();
    expect(open("/watch/")).toBeUndefined();
    expect(open("/watch/12345")).toBeUndefined();
  });
});

describe("the page around", () => {
  const around = { postMessage: vi.fn() };
  const listeners: ((event: object) => void)[] = [];
  const frame = { parent: around, addEventListener: (_: string, listener: (event: object) => void) => listeners.push(listener) } as unknown as Window;
  const steering = { end: vi.fn(), choose: vi.fn(), colour: vi.fn() };
  const say = (data: unknown, from: object = {}): void => listeners.forEach((listener) => listener({ source: around, origin: "https://desk.test", data, ...from }));

  beforeEach(() => {
    listeners.length = 0;
    vi.clearAllMocks();
  });

  test("is told in the words of the contract, at its own origin where that is known", () => {
    const embedding = embeddedIn(frame, "https://desk.test", steering)!;
    for (const stage of ["waiting", "asking", "started", "received", "visible", "over"] as const) embedding.stage(stage);
    embedding.colour("#e4572e");
    const statuses = ["waiting", "pendingRequest", "active", "snapshotReceived", "viewerReady", "terminated"];
    expect(around.postMessage.mock.calls).toEqual([
      ...statuses.map((sessionStatus) => [{ type: "sessionStatusUpdate", sessionStatus }, "https://desk.test"]),
      [{ type: "currentColor", color: "#e4572e" }, "https://desk.test"],
    ]);
    embedding.message({ step: 2 });
    expect(around.postMessage).toHaveBeenLastCalledWith({ type: "customMessage", message: { step: 2 } }, "https://desk.test");
    embeddedIn(frame, null, steering)!.colour("#000000");
    expect(around.postMessage).toHaveBeenLastCalledWith({ type: "currentColor", color: "#000000" }, "*");
  });

  test("may ask for what the contract says, and for nothing else", () => {
    embeddedIn(frame, null, steering);
    say({ action: "endSession" });
    for (const mode of ["draw", "pointer", "cursor"]) say({ action: "setMode", mode });
    say({ action: "switchColor" });
    say({ action: "switchColor", color: "red" });
    expect([steering.end.mock.calls.length, steering.choose.mock.calls, steering.colour.mock.calls]).toEqual([1, [["draw"], ["spotlight"], ["cursor"]], [[], ["red"]]]);
    vi.clearAllMocks();
    for (const odd of [undefined, null, "endSession", [], {}, { action: "explode" }, { action: "setMode", mode: "constructor" }, { action: "switchColor", color: 7 }]) say(odd);
    expect([steering.end, steering.choose, steering.colour].some((called) => called.mock.calls.length)).toBe(false);
  });

  test("is listened to and nobody else, and only at the origin that the link names", () => {
    embeddedIn(frame, "https://desk.test", steering);
    say({ action: "endSession" }, { source: {} });
    say({ action: "endSession" }, { source: null });
    say({ action: "endSession" }, { origin: "https://evil.test" });
    expect(steering.end).not.toHaveBeenCalled();
    say({ action: "endSession" });
    expect(steering.end).toHaveBeenCalledOnce();
  });

  test("is nobody for a page of its own", () => {
    expect(embeddedIn(window, null, steering)).toBeUndefined();
  });
});

test("the ring of colours goes round, and begins anew after a colour of one's own", () => {
  const ring = ["#1", "#2", "#3"];
  expect(["#1", "#3", "#abcdef"].map((colour) => nextColour(ring, colour))).toEqual(["#2", "#1", "#1"]);
});
