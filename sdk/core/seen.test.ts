import { expect, test } from "vitest";
import { SeenSignals } from "./seen";
import { memoryStore } from "./storage";
import { FakeClock } from "./testing";

function tab() {
  const clock = new FakeClock();
  const store = memoryStore();
  return { clock, store, page: () => new SeenSignals(store, "seen", () => clock.now()) };
}

test("an id is new once in a tab, over page changes", () => {
  const { page } = tab();
  expect(page().mark("a")).toBe(true);
  expect(page().mark("a")).toBe(false);
});

test("ids are told until the server is known to have them, and no longer than a minute", () => {
  const { clock, page } = tab();
  const seen = page();
  seen.mark("a");
  seen.mark("b");
  expect(page().unacknowledged(64)).toEqual(["a", "b"]);
  seen.confirm(["a"]);
  expect(page().unacknowledged(64)).toEqual(["b"]);
  clock.sleep(60_000);
  expect(page().unacknowledged(64)).toEqual([]);
  expect(page().mark("b")).toBe(false);
  clock.sleep(240_000);
  expect(page().mark("b")).toBe(true);
});

test("the list is bounded, and the newest are told", () => {
  const { page } = tab();
  const seen = page();
  for (let id = 0; id < 300; id += 1) seen.mark(`id${id}`);
  expect(seen.unacknowledged(64)).toHaveLength(64);
  expect(seen.unacknowledged(64)[63]).toBe("id299");
  expect(seen.mark("id43")).toBe(true);
  expect(seen.mark("id299")).toBe(false);
});

test("what someone else wrote there does no harm", () => {
  const { store, page } = tab();
  for (const text of ["{", "null", "7", '[["a"]]', '{"a":1}']) {
    store.write("seen", text);
    expect(page().mark(`after ${text}`)).toBe(true);
  }
});
