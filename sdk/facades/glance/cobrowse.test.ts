// @vitest-environment happy-dom
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { FakeSocket } from "../../core/testing";
import { installVisitor } from "./install";
import { freshPage, glance, script, settle, tag, welcome } from "./testing";

beforeEach(freshPage);

function install(): void {
  installVisitor(window, script("http://help.test/x.js?group=12345"), () => import("./dialog"));
}

const shadow = (): ShadowRoot => document.querySelector("[data-glance-terms]")?.shadowRoot as ShadowRoot;
const dialog = (): HTMLDialogElement => shadow().querySelector("dialog") as HTMLDialogElement;
/** Loaded and shown. */
const shown = (): Promise<void> => vi.waitFor(() => expect(dialog().open).toBe(true));
const button = (name: string): HTMLButtonElement => shadow().querySelector(`[part~=${name}]`) as HTMLButtonElement;

async function connected() {
  const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
  visitor.connect();
  return welcome();
}

describe("the terms dialog", () => {
  test("is a labelled modal dialog, styled without inline styles, with the focus on Decline", async () => {
    install();
    void glance().Cobrowse.Visitor.showTerms({ text: "May we?" });
    await shown();
    const labelled = dialog().getAttribute("aria-labelledby") as string;
    expect(shadow().getElementById(labelled)?.textContent).toBeTruthy();
    expect(shadow().getElementById("text")?.textContent).toBe("May we?");
    expect(button("accept").textContent).toBe("Accept");
    expect(button("decline").textContent).toBe("Decline");
    expect(shadow().activeElement).toBe(button("decline"));
    expect(shadow().adoptedStyleSheets).toHaveLength(1);
    expect(shadow().querySelectorAll("[style], style")).toHaveLength(0);
  });

  test("accepting is reported, and starts a session when there is a key", async () => {
    install();
    const socket = await connected();
    const answer = glance().Cobrowse.Visitor.showTerms({ sessionKey: "ada" });
    await shown();
    expect(glance().Cobrowse.Visitor.showTerms()).toBe(answer);
    button("accept").click();
    await expect(answer).resolves.toBe("accepted");
    expect(document.querySelector("[data-glance-terms]")).toBeNull();
    expect(socket.all("terms").map((frame) => frame.data.status)).toEqual(["displayed", "accepted"]);
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: true });
  });

  test("Escape and Decline decline", async () => {
    install();
    const socket = await connected();
    const escaped = glance().Cobrowse.Visitor.showTerms({ sessionKey: "ada" });
    await shown();
    dialog().dispatchEvent(new Event("cancel"));
    await expect(escaped).resolves.toBe("declined");
    const declined = glance().Cobrowse.Visitor.showTerms({ decline: "No" });
    await shown();
    expect(button("decline").textContent).toBe("No");
    button("decline").click();
    await expect(declined).resolves.toBe("declined");
    expect(socket.all("terms").map((frame) => frame.data.status)).toEqual(["displayed", "declined", "displayed", "declined"]);
    expect(socket.all("visitorerror")).toHaveLength(0);
  });

  test("links the tag's terms, and never a script", async () => {
    tag({ "data-termsurl": "/terms" });
    install();
    void glance().Cobrowse.Visitor.showTerms();
    await shown();
    const link = shadow().querySelector("a") as HTMLAnchorElement;
    expect(link.href).toBe(new URL("/terms", location.href).href);
    expect(link.rel).toContain("noopener");
    button("decline").click();
    await settle();
    void glance().Cobrowse.Visitor.showTerms({ termsurl: "javascript:alert(1)" });
    await shown();
    expect(shadow().querySelector("a")).toBeNull();
  });

  test("terms that cannot be shown are not accepted, and agents are told", async () => {
    installVisitor(window, script("http://help.test/x.js?group=12345"), () => Promise.reject(new TypeError("no network")));
    const socket = await connected();
    await expect(glance().Cobrowse.Visitor.showTerms({ sessionKey: "ada" })).resolves.toBe("declined");
    expect(socket.last("visitorerror").data).toEqual({ code: "service", msg: "the terms cannot be shown" });
    expect(socket.all("terms").map((frame) => frame.data.status)).toEqual(["declined"]);
    expect(socket.all("startsession")).toHaveLength(0);
  });

  test("an agent may call it", async () => {
    install();
    const socket = await connected();
    const func = "GLANCE.Cobrowse.Visitor.showTerms";
    await socket.say({ type: "invoke", id: "i1", deadline: Date.now() + 5_000, func, args: { sessionKey: "ada" } });
    await shown();
    button("decline").click();
    await settle();
    expect(socket.all("failed")).toHaveLength(0);
  });
});

describe("sessions", () => {
  const SESSION = "0123456789abcdef0123456789abcdef";
  const start = "GLANCE.Cobrowse.Visitor.startSession";
  let invocations = 0;
  const invoke = (socket: FakeSocket) => socket.say({ type: "invoke", id: `start-${(invocations += 1)}`, deadline: Date.now() + 5_000, func: start, args: { sessionKey: "ada" } });

  function told(): string[] {
    const events: string[] = [];
    for (const name of ["sessionstarting", "sessionstart", "sessioncontinue", "sessionend", "error"]) {
      glance().Cobrowse.Visitor.addEventListener(name, (data: object | undefined) => events.push(data ? `${name} ${JSON.stringify(data)}` : name));
    }
    return events;
  }

  test("the page's own call is the visitor's wish", async () => {
    install();
    const socket = await connected();
    const events = told();
    const { startSession, stopSession, inSession } = glance().Cobrowse.Visitor;
    startSession("ada");
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: true });
    expect(inSession()).toBe(false);
    await socket.ok("startsession", { session: SESSION });
    expect(inSession()).toBe(true);
    stopSession();
    await settle();
    expect(socket.all("endsession")).toHaveLength(1);
    expect(inSession()).toBe(false);
    expect(events).toEqual(["sessionstarting", 'sessionend {"reason":"error"}']);
  });

  test("an agent's call has the visitor asked, unless he accepted the terms in this visit", async () => {
    install();
    const socket = await connected();
    await invoke(socket);
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: false });
    const answer = glance().Cobrowse.Visitor.showTerms();
    await shown();
    button("accept").click();
    await answer;
    await invoke(socket);
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: true });
    // The call that follows is the page's own.
    glance().Cobrowse.Visitor.startSession();
    await settle();
    expect(socket.all("startsession").map(({ agreed }) => agreed)).toEqual([false, true, true]);
  });

  test("terms that were accepted on an earlier page of the visit count, declined ones do not", async () => {
    install();
    new (glance().Presence.Visitor)({ visitorid: "ada" }).connect();
    const socket = await welcome({ terms: "accepted" });
    await invoke(socket);
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: true });
    const answer = glance().Cobrowse.Visitor.showTerms();
    await shown();
    button("decline").click();
    await answer;
    await invoke(socket);
    await settle();
    expect(socket.last("startsession")).toMatchObject({ agreed: false });
  });

  test("start, continuation and end are told as they are for this page", async () => {
    install();
    new (glance().Presence.Visitor)({ visitorid: "ada" }).connect();
    const events = told();
    const { core } = glance().Presence.Visitor.instance;
    const socket = await welcome({ session: SESSION });
    core.events.emit("sessionevent", { what: "view", state: "on", members: [] });
    core.events.emit("sessionevent", { what: "ended", reason: "controller", members: [] });
    await socket.say({ type: "session", session: null });
    await socket.say({ type: "session", session: SESSION.replace("0", "f") });
    core.events.emit("sessionevent", { what: "view", state: "on", members: [] });
    core.events.emit("sessionevent", { what: "view", state: "paused", members: [] });
    core.events.emit("sessionevent", { what: "view", state: "on", members: [] });
    expect(events).toEqual(["sessioncontinue", 'sessionend {"reason":"agent"}', "sessionstarting", "sessionstart"]);
  });

  test("a group that is not the page's, and a refusal, are errors that agents are told of", async () => {
    install();
    const socket = await connected();
    const events = told();
    glance().Cobrowse.Visitor.startSession({ groupid: 999 });
    expect(socket.all("startsession")).toHaveLength(0);
    expect(socket.last("visitorerror").data).toMatchObject({ code: "service" });
    glance().Cobrowse.Visitor.startSession();
    await settle();
    await socket.refuse("startsession", "ratelimited", { msg: "too fast" });
    expect(events[1]).toBe('error {"code":"service","msg":"too fast"}');
  });

  test("events can be listened to and no longer listened to", async () => {
    install();
    const { addEventListener, removeEventListener, startSession } = glance().Cobrowse.Visitor;
    const heard: unknown[] = [];
    const listener = (problem: unknown): void => void heard.push(problem);
    addEventListener("error", listener);
    startSession({ groupid: 999 });
    removeEventListener("error", listener);
    startSession({ groupid: 999 });
    expect(heard).toHaveLength(1);
  });
});
