// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { GroupField, knownGroup } from "./group";

beforeEach(() => {
  document.body.innerHTML = `<div id="group-field" hidden><input id="group-id"></div>`;
});

const input = () => document.getElementById("group-id") as HTMLInputElement;

test.each([
  ["?group=7", "", "7"],
  ["?id=ada&group=7", "12345", "7"],
  ["?id=ada", "12345", "12345"],
  ["?group=", "12345", "12345"],
  ["?group=../7", "", ""],
  ["?group=123456789012345678901", "", ""],
  ["", "", ""],
])("the address %s of a server whose group is %j is for %j", (query, group, expected) => {
  expect(knownGroup({ group }, query)).toBe(expected);
});

test("a known group is not asked for", () => {
  const field = new GroupField();
  field.asks("7");
  expect(document.getElementById("group-field")?.hidden).toBe(true);
  input().value = "what?";
  expect(field.read("7")).toEqual({ group: "7", problem: "" });
});

test("one that nobody names is asked for, and has to be a number", () => {
  const field = new GroupField();
  field.asks("");
  expect(document.getElementById("group-field")?.hidden).toBe(false);
  expect(field.read("").problem).toBe("The group is needed, too.");
  input().value = "shop";
  expect(field.read("").problem).toBe("A group is a number of 1 to 20 digits.");
  expect(input().getAttribute("aria-invalid")).toBe("true");
  input().value = " 678 ";
  expect(field.read("")).toEqual({ group: "678", problem: "" });
  expect(input().getAttribute("aria-invalid")).toBe("false");
});
