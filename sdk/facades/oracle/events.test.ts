import { beforeEach, expect, test, vi } from "vitest";
import { Events } from "./events";
import type { Told } from "./states";

beforeEach(() => void vi.useFakeTimers());

const starting = (SID?: string): Told => ({ name: "SessionStarting", data: { SID, siteCode: "S" } });

test("has the seven events, each with two methods and no more", () => {
  const { sources } = new Events();
  expect(Object.keys(sources)).toEqual(["SessionStarting", "SessionStarted", "SessionEnded", "AgentConnected", "AgentDisconnected", "StateChanged", "NavigatingAway"]);
  for (const source of Object.values(sources)) expect(Object.keys(source)).toEqual(["listen", "removeListener"]);
});

test("tells later, each listener in a task of its own, once however often it was added", () => {
  const events = new Events();
  const first = vi.fn();
  const second = vi.fn();
  const { SessionStarting } = events.sources;
  for (const listener of [first, first, second]) SessionStarting.listen(listener);
  events.tell(starting("chat7"));
  expect(first).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(2);
  vi.runAllTimers();
  expect(first.mock.calls).toEqual([[{ SID: "chat7", siteCode: "S" }]]);
  expect(second).toHaveBeenCalledTimes(1);
});

test("a listener that changes what it gets changes it for itself", () => {
  const events = new Events();
  const heard: unknown[] = [];
  events.sources.SessionStarting.listen((event) => Object.assign(event, { SID: "changed" }));
  events.sources.SessionStarting.listen((event) => heard.push(event.SID));
  events.tell(starting());
  vi.runAllTimers();
  expect(heard).toEqual([undefined]);
});

test("one that was removed hears nothing, one that comes late hears what comes then", () => {
  const events = new Events();
  const removed = vi.fn();
  const late = vi.fn();
  const removedThen = vi.fn();
  const { SessionStarting } = events.sources;
  for (const listener of [removed, removedThen]) SessionStarting.listen(listener);
  SessionStarting.removeListener(removed);
  SessionStarting.removeListener(() => {});
  SessionStarting.listen(undefined as never);
  events.tell(starting());
  SessionStarting.removeListener(removedThen);
  SessionStarting.listen(late);
  vi.runAllTimers();
  for (const listener of [removed, removedThen, late]) expect(listener).not.toHaveBeenCalled();
});
