import { beforeEach, expect, test } from "vitest";
import type { ConnectionState } from "../../../core/connection-options";
import { Emitter } from "../../../core/emitter";
import { VestibuleError } from "../../../core/errors";
import { FakeClock, settle } from "../../../core/testing";
import type { VisitorEvents } from "../../../visitor/options";
import type { Visitor } from "../../../visitor/visitor";
import { Contact } from "./contact";

/** What the contact needs of a visitor, with answers that a test gives. */
class FakeVisitor {
  readonly events = new Emitter<VisitorEvents>();
  readonly calls: string[] = [];
  state: ConnectionState = "idle";
  session: string | undefined;
  answer: () => object = () => ({ uniqueid: "111111", seconds: 86_400 });

  on = this.events.on.bind(this.events);

  attach() {
    return {
      persist: (step: () => Promise<unknown>) => step(),
      request: async ({ type, contact }: { type: string; contact: boolean }) => {
        this.calls.push(`${type} ${contact}`);
        return this.answer();
      },
    };
  }

  async presence(): Promise<void> {
    this.calls.push("presence");
    this.state = "connecting";
  }


  disconnect(): void {
    this.calls.push("disconnect");
    this.state = "idle";
  }
}

let visitor: FakeVisitor;
let clock: FakeClock;
let told: unknown[][];
let contact: Contact;

beforeEach(() => {
  visitor = new FakeVisitor();
  clock = new FakeClock();
  told = [];
  contact = new Contact(visitor as unknown as Visitor, clock, {
    code: (code) => void told.push(["code", code]),
    failed: (reason, isFinal) => void told.push(["failed", reason, isFinal]),
  });
});

async function welcomed(): Promise<void> {
  visitor.state = "connected";
  contact.welcomed();
  await settle();
}

test("the code is asked for on each connection, but for one in a session, and renewed in time", async () => {
  contact.begin();
  // It listens for no signals: those are for the page's own scripts.
  expect(visitor.calls).toEqual(["presence"]);
  await welcomed();
  expect(told).toEqual([["code", "111111"]]);
  visitor.session = "s";
  await welcomed();
  expect(told).toHaveLength(1);
  visitor.session = undefined;
  visitor.answer = () => ({ uniqueid: "222222", seconds: 86_400 });
  visitor.events.emit("sessionend", { session: "s" });
  await settle();
  expect(told[1]).toEqual(["code", "222222"]);
  expect(clock.delays).toEqual([43_200_000]);
  await clock.pass(43_200_000);
  expect(told[2]).toEqual(["code", "222222"]);
});

test("a connection that does not come about is given up and told; only the page begins anew", async () => {
  contact.begin();
  const lost = contact.begins();
  lost("unready");
  lost("unready");
  expect(told).toEqual([["failed", "unready", false]]);
  expect(visitor.state).toBe("idle");
  contact.begin();
  contact.begins()("group");
  expect(told[1]).toEqual(["failed", "group", true]);
  // Asked twice, it begins from nothing.
  contact.begin();
  contact.begin();
  expect(visitor.calls.slice(-3)).toEqual(["presence", "disconnect", "presence"]);
});

test("what is told late of an earlier try ends no later one", () => {
  contact.begin();
  const late = contact.begins();
  late("unready");
  contact.begin();
  late("connection");
  expect(told).toEqual([["failed", "unready", false]]);
  expect(visitor.state).toBe("connecting");
  contact.begins()("toomany");
  expect(told[1]).toEqual(["failed", "toomany", false]);
});

test("a loss between the welcome and the code ends nothing: the SDK comes back, and asks", async () => {
  visitor.answer = () => {
    throw new VestibuleError("connection");
  };
  contact.begin();
  const lost = contact.begins();
  await welcomed();
  visitor.state = "waiting";
  lost("connection");
  expect([told, visitor.calls]).toEqual([[], ["presence", "unique true"]]);
  visitor.answer = () => ({ uniqueid: "444444", seconds: 60 });
  await welcomed();
  expect(told).toEqual([["code", "444444"]]);
});

test("once there was a code, a drop is the SDK's own matter; an end for good is told, and begun anew when the page wishes", async () => {
  contact.begin();
  const lost = contact.begins();
  await welcomed();
  visitor.state = "waiting";
  lost("connection");
  expect(told).toHaveLength(1);
  visitor.state = "closed";
  visitor.events.emit("error", new VestibuleError("origin"));
  expect(told[1]).toEqual(["failed", "origin", true]);
  contact.begin();
  expect(visitor.calls.slice(-2)).toEqual(["unique true", "presence"]);
  await welcomed();
  expect(told[2]).toEqual(["code", "111111"]);
});

test("a code that the server refuses is asked for again on the same connection", async () => {
  visitor.answer = () => {
    throw new VestibuleError("toomany");
  };
  contact.begin();
  await welcomed();
  expect(told).toEqual([["failed", "toomany", false]]);
  visitor.answer = () => ({ uniqueid: "333333", seconds: 60 });
  contact.begin();
  await settle();
  expect(told[1]).toEqual(["code", "333333"]);
  expect(visitor.calls).toEqual(["presence", "unique true", "unique true"]);
});
