import { expect, test } from "vitest";
import type { VisitorEvent } from "./frames";
import { VisitorView } from "./view";

const event = (type: VisitorEvent["type"], epoch: number, sequence: number, data: object, present = false) =>
  ({ type, visitorid: "ada", epoch, sequence, time: 0, data, ...(present && { present }) }) as VisitorEvent;

test("an event that is not greater than the last is old", () => {
  const view = new VisitorView();
  expect(view.accept(event("presence", 10, 5, {}))).toBe(true);
  expect(view.accept(event("presence", 10, 5, {}))).toBe(false);
  expect(view.accept(event("terms", 10, 4, { status: "accepted" }))).toBe(false);
  expect(view.accept(event("terms", 9, 9, { status: "accepted" }))).toBe(false);
  expect(view.accept(event("terms", 11, 1, { status: "accepted" }))).toBe(true);
});

test("the present state repeats a position and is news only where it differs", () => {
  const view = new VisitorView();
  expect(view.accept(event("visitorconn", 10, 5, { connected: true }, true))).toBe(true);
  expect(view.accept(event("visitorsock", 10, 5, { connected: true, sockets: 1 }, true))).toBe(true);
  expect(view.accept(event("visitorconn", 10, 5, { connected: true }, true))).toBe(false);
  expect(view.accept(event("visitorsock", 10, 5, { connected: true, sockets: 1 }, true))).toBe(false);
  expect(view.accept(event("visitorsock", 10, 8, { connected: true, sockets: 2 }, true))).toBe(true);
  expect(view.accept(event("visitorconn", 10, 7, { connected: false }, true))).toBe(false);
});

test("a closed second tab and the present state after it are one piece of news", () => {
  const view = new VisitorView();
  view.accept(event("visitorsock", 10, 1, { connected: true, sockets: 2 }));
  expect(view.accept(event("visitorsock", 10, 2, { connected: false, sockets: 1 }))).toBe(true);
  expect(view.accept(event("visitorsock", 10, 2, { connected: true, sockets: 1 }, true))).toBe(false);
});

test("a visitor whose record is gone is away, whatever was known", () => {
  const view = new VisitorView();
  view.accept(event("visitorconn", 10, 5, { connected: true }));
  expect(view.accept(event("visitorconn", 0, 0, { connected: false }, true))).toBe(true);
  expect(view.accept(event("visitorconn", 11, 1, { connected: true }))).toBe(true);
});

test("what carries no order is always news", () => {
  const view = new VisitorView();
  view.accept(event("presence", 10, 5, {}));
  const failed = { type: "visitorerror", visitorid: "ada", data: { code: "exception", msg: "" } } as VisitorEvent;
  expect(view.accept(failed)).toBe(true);
  expect(view.accept(failed)).toBe(true);
  expect(view.accept(event("presence", 10, 5, {}))).toBe(false);
});
