import { expect, test, vi } from "vitest";
import { Lifecycle } from "./lifecycle";
import { FakePage } from "./testing";

function observed(prepare: (page: FakePage) => void = () => {}) {
  const page = new FakePage();
  prepare(page);
  const calls: string[] = [];
  const lifecycle = new Lifecycle(page.window, {
    suspend: () => calls.push("suspend"),
    resume: () => calls.push("resume"),
    visibility: (visible) => calls.push(visible ? "visible" : "hidden"),
    activity: () => calls.push("activity"),
    wake: () => calls.push("wake"),
  });
  return { page, calls, lifecycle };
}

test("tells each turn of a page's life", () => {
  const { page, calls } = observed();
  page.fire("pageshow", { persisted: false });
  page.show(false);
  page.fire("freeze");
  page.fire("resume");
  page.show(true);
  page.fire("focus");
  page.fire("online");
  page.fire("pagehide", { persisted: true });
  page.fire("pageshow", { persisted: true });
  expect(calls).toEqual(["hidden", "wake", "visible", "activity", "wake", "suspend", "resume"]);
});

test("a prerendered page is not active before it is shown", () => {
  const { page, calls, lifecycle } = observed(({ window }) =>
    Object.defineProperty(window.document, "prerendering", { configurable: true, value: true }),
  );
  expect(lifecycle.active).toBe(false);
  page.fire("prerenderingchange");
  expect(lifecycle.active).toBe(true);
  expect(calls).toEqual(["resume"]);
});

test("registers nothing that keeps a page out of the back-forward cache, and leaves nothing", () => {
  const page = new FakePage();
  const added = vi.spyOn(page.window, "addEventListener");
  const removed = vi.spyOn(page.window, "removeEventListener");
  const nothing = (): void => {};
  const handlers = { suspend: nothing, resume: nothing, visibility: nothing, activity: nothing, wake: nothing };
  new Lifecycle(page.window, handlers).dispose();
  const names = added.mock.calls.map(([name]) => String(name));
  expect(names).not.toContain("unload");
  expect(names).not.toContain("beforeunload");
  expect(removed.mock.calls.map(([name]) => String(name)).sort()).toEqual(names.sort());
});
