// @vitest-environment happy-dom
import { beforeEach, describe, expect, test } from "vitest";
import { installVisitor } from "./install";
import { freshPage, glance, script, settle, tag, welcome } from "./testing";

beforeEach(freshPage);

function install(): void {
  installVisitor(window, script("http://help.test/x.js?group=12345"));
}

const shadow = (): ShadowRoot => document.querySelector("[data-glance-terms]")?.shadowRoot as ShadowRoot;
const dialog = (): HTMLDialogElement => shadow().querySelector("dialog") as HTMLDialogElement;
const button = (name: string): HTMLButtonElement => shadow().querySelector(`[part~=${name}]`) as HTMLButtonElement;

async function connected() {
  const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
  visitor.connect();
  return welcome();
}

describe("the terms dialog", () => {
  test("is a labelled modal dialog, styled without inline styles, with the focus on Decline", () => {
    install();
    void glance().Cobrowse.Visitor.showTerms({ text: "May we?" });
    expect(dialog().open).toBe(true);
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
    const problems: unknown[] = [];
    glance().Cobrowse.Visitor.addEventListener("error", (problem: unknown) => problems.push(problem));
    const answer = glance().Cobrowse.Visitor.showTerms({ sessionKey: "ada" });
    expect(glance().Cobrowse.Visitor.showTerms()).toBe(answer);
    button("accept").click();
    await expect(answer).resolves.toBe("accepted");
    expect(document.querySelector("[data-glance-terms]")).toBeNull();
    expect(socket.all("terms").map((frame) => frame.data.status)).toEqual(["displayed", "accepted"]);
    expect(socket.last("visitorerror").data).toMatchObject({ code: "service" });
    expect(problems).toEqual([{ code: "service", msg: expect.any(String) }]);
    expect(glance().Cobrowse.Visitor.inSession()).toBe(false);
  });

  test("Escape and Decline decline", async () => {
    install();
    const socket = await connected();
    const escaped = glance().Cobrowse.Visitor.showTerms({ sessionKey: "ada" });
    dialog().dispatchEvent(new Event("cancel"));
    await expect(escaped).resolves.toBe("declined");
    const declined = glance().Cobrowse.Visitor.showTerms({ decline: "No" });
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
    const link = shadow().querySelector("a") as HTMLAnchorElement;
    expect(link.href).toBe(new URL("/terms", location.href).href);
    expect(link.rel).toContain("noopener");
    button("decline").click();
    await settle();
    void glance().Cobrowse.Visitor.showTerms({ termsurl: "javascript:alert(1)" });
    expect(shadow().querySelector("a")).toBeNull();
  });

  test("an agent may call it", async () => {
    install();
    const socket = await connected();
    const func = "GLANCE.Cobrowse.Visitor.showTerms";
    await socket.say({ type: "invoke", id: "i1", deadline: Date.now() + 5_000, func, args: { sessionKey: "ada" } });
    expect(dialog().open).toBe(true);
    button("decline").click();
    await settle();
    expect(socket.all("failed")).toHaveLength(0);
  });
});

test("events can be listened to and no longer listened to", () => {
  install();
  const { addEventListener, removeEventListener, startSession, stopSession } = glance().Cobrowse.Visitor;
  const told: unknown[] = [];
  const listener = (problem: unknown): void => void told.push(problem);
  addEventListener("error", listener);
  startSession("ada");
  removeEventListener("error", listener);
  startSession();
  stopSession();
  expect(told).toHaveLength(1);
});
