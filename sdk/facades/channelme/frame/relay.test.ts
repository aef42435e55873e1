import { expect, test } from "vitest";
import { VestibuleError } from "../../../core/errors";
import { settle } from "../../../core/testing";
import type { GuestHost } from "../../../visitor/session-host";
import type { ToPage } from "../messages";
import { Relay } from "./relay";

const SESSION = "0190163d8694739b8a8c1e7ee7a2b3c5";

function make(answer: (type: string) => Promise<object>) {
  const told: ToPage[] = [];
  const shown: string[] = [];
  const said: string[] = [];
  const relay = new Relay((message) => told.push(message), (session) => shown.push(session));
  const host = {
    tab: () => "t1",
    group: "12345",
    problem: (code: string) => void said.push(`problem ${code}`),
    connection: {
      send: ({ type }: { type: string }) => void said.push(type),
      request: ({ type }: { type: string }) => {
        said.push(type);
        return answer(type);
      },
    },
  } as unknown as GuestHost;
  return { relay, host, told, shown, said };
}

test("a page says through the frame what belongs to its session, and nothing else", async () => {
  const { relay, host, told, said } = make(async (type) => ({ type: "ok", of: type }));
  const ask = (type: string, number: number): void => relay.receive({ say: "request", number, frame: { type } });
  ask("enter", 1);
  expect(told).toEqual([{ say: "answer", number: 1, problem: { code: "notfound", message: "there is no session" } }]);
  const guest = relay.join(host, SESSION);
  expect(told[1]).toEqual({ say: "join", session: SESSION, tab: "t1", group: "12345" });
  for (const [number, type] of ["enter", "identify", "unique", "presence", "disconnect", "say", "consent"].entries()) {
    ask(type, number);
    relay.receive({ say: "send", frame: { type } });
  }
  relay.receive({ say: "send", frame: null as never });
  await settle();
  expect(said).toEqual(["enter", "enter", "consent", "consent"]);
  expect(told.filter((message) => message.say === "answer" && message.problem)).toHaveLength(6);
  guest.end();
  ask("enter", 9);
  expect(said).toHaveLength(4);
});

test("what the server says goes to the page, refusals too, and the start of what is seen is noticed", async () => {
  const { relay, host, told, shown } = make(async (type) => {
    if (type === "consent") throw new VestibuleError("badrequest", "nobody asked");
    return { type: "ok", view: "on" };
  });
  const guest = relay.join(host, SESSION);
  const frame = (state: string) => ({ type: "sessionevent", session: SESSION, event: { what: "view", state } });
  guest.receive(frame("off"));
  expect(shown).toEqual([]);
  guest.receive(frame("on"));
  relay.receive({ say: "request", number: 1, frame: { type: "enter" } });
  relay.receive({ say: "request", number: 2, frame: { type: "consent" } });
  await settle();
  expect(shown).toEqual([SESSION, SESSION]);
  guest.away(true);
  guest.welcomed();
  guest.end();
  expect(told.slice(1)).toEqual([
    { say: "receive", frame: frame("off") },
    { say: "receive", frame: frame("on") },
    { say: "answer", number: 1, answer: { type: "ok", view: "on" } },
    { say: "answer", number: 2, problem: { code: "badrequest", message: "nobody asked" } },
    { say: "away", paged: true },
    { say: "welcomed" },
    { say: "end" },
  ]);
});
