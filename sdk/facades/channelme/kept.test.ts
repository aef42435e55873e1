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
