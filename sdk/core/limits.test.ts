import { expect, test } from "vitest";
import { serverOrigin, socketAddress } from "./address";
import { checkData, checkFunctionName, checkVisitorId, type PresenceData } from "./limits";

const codeOf = (run: () => void): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("presence data is flat and within the limits", () => {
  const keys = (count: number): PresenceData => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));
  expect(codeOf(() => checkData({ cart: 3, name: "Ada" }))).toBeUndefined();
  expect(codeOf(() => checkData(keys(64)))).toBeUndefined();
  expect(codeOf(() => checkData(keys(65)))).toBe("toolarge");
  expect(codeOf(() => checkData({ ["k".repeat(65)]: 1 }))).toBe("toolarge");
  expect(codeOf(() => checkData({ text: "ä".repeat(513) }))).toBe("toolarge");
  expect(codeOf(() => checkData({ text: "a".repeat(1024) }))).toBeUndefined();
  for (const value of [null, true, NaN, Infinity, {}, []]) {
    expect(codeOf(() => checkData({ value } as unknown as PresenceData))).toBe("badrequest");
  }
  const large = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, "a".repeat(1000)]));
  expect(codeOf(() => checkData(large))).toBe("toolarge");
});

test("visitor ids", () => {
  expect(codeOf(() => checkVisitorId("Ada.Lovelace_1~-"))).toBeUndefined();
  for (const id of ["", "a b", "ä", "a".repeat(101)]) expect(codeOf(() => checkVisitorId(id))).toBe("badrequest");
});

test("function names", () => {
  expect(codeOf(() => checkFunctionName("GLANCE.Cobrowse.Visitor.showTerms"))).toBeUndefined();
  const forbidden = ["alert", "GLANCE", "GLANCE.", "window.GLANCE.x", "GLANCE.Authorization.setToken", "GLANCE..x"];
  forbidden.push("GLANCE.Authorization", "GLANCE.a.__proto__.b", "GLANCE.constructor", "GLANCE.a.prototype.b", "GLANCEX.a");
  for (const name of forbidden) expect(codeOf(() => checkFunctionName(name))).toBe("forbiddenfunction");
});

test("addresses", () => {
  expect(serverOrigin("presence.test")).toBe("https://presence.test");
  expect(serverOrigin("127.0.0.1:8080", "http:")).toBe("http://127.0.0.1:8080");
  expect(serverOrigin("localhost:8080", "http:")).toBe("http://localhost:8080");
  expect(serverOrigin("wss://presence.test/path/")).toBe("https://presence.test");
  expect(serverOrigin("ws://[::1]:8080")).toBe("http://[::1]:8080");
  expect(socketAddress("https://a.test:81", "/v1/visitor", "1 2")).toBe("wss://a.test:81/v1/visitor?group=1%202");
});
