import { expect, test } from "vitest";
import { memoryStore } from "../../core/storage";
import { Kept } from "./kept";
import type { KeptName } from "./messages";

test("the frame keeps what is known in the page, and nothing else", () => {
  const stores = { lasting: memoryStore(), tab: memoryStore() };
  const kept = new Kept(stores, "12345");
  const id = `~${"0a".repeat(16)}`;
  kept.keep("anonymous", id);
  kept.keep("layout", "open");
  kept.keep("cobrowsing", "<script>");
  for (const name of ["token", "__proto__", "constructor", "toString"]) kept.keep(name as KeptName, id);
  expect(kept.all()).toEqual({ anonymous: id, layout: "open" });
  expect(stores.lasting.read("vestibule.anonymous.12345")).toBe(id);
  for (const wrong of ["x".repeat(5_000), 7, {}, `${id}0`]) kept.keep("anonymous", wrong);
  expect(kept.all().anonymous).toBe(id);
  kept.keep("layout", undefined);
  expect(kept.all()).toEqual({ anonymous: id });
  // What somebody else wrote there is not passed on.
  stores.lasting.write("vestibule.anonymous.12345", "nonsense");
  expect(kept.all()).toEqual({});
});

test("where the page names no group, the visitor is that of the group that the frame names", () => {
  const stores = { lasting: memoryStore(), tab: memoryStore() };
  const id = `~${"0a".repeat(16)}`;
  stores.lasting.write("vestibule.anonymous.12345", id);
  const kept = new Kept(stores, "");
  for (const wrong of [undefined, 7, "", "a b", "1".repeat(21)]) kept.belongTo(wrong);
  expect(kept.all()).toEqual({});
  kept.belongTo("12345");
  expect(kept.all()).toEqual({ anonymous: id });
  // What the page itself named counts.
  const named = new Kept(stores, "777");
  named.belongTo("12345");
  expect(named.all()).toEqual({});
});
