import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** The rule as `docs/protocol.md` shows it to those who write back ends. */
const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
const text = /### The state, from events in any order\n[^]*?```js\n([^]*?)```/.exec(page)?.[1] ?? "";
type Event = { visitorid: string; epoch: number; sequence: number; type: string; data: Record<string, unknown> };
type Fields = Map<string, { epoch: number; sequence: number; value: unknown }>;
const apply = new Function(`${text}; return apply;`)() as (visitors: Map<string, Fields>, event: Event) => void;

/** What counts of a visitor's fields. */
function current(fields: Fields): Record<string, unknown> {
  const newest = Math.max(...[...fields.values()].map((field) => field.epoch));
  return Object.fromEntries(
    [...fields].filter(([, field]) => field.epoch === newest).map(([name, field]) => [name, field.value]),
  );
}

/** A generator whose runs can be repeated (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Events of a visitor in their order, and the state that one has who simply follows them. */
function life(visitorid: string, pick: (below: number) => number): { events: Event[]; state: Record<string, unknown> } {
  const events: Event[] = [];
  let state: Record<string, unknown> = {};
  let [epoch, sequence, connected] = [1_700_000_000_000, 0, false];
  for (let step = 0; step < 40; step += 1) {
    const tell = (type: string, data: Record<string, unknown>): void => {
      sequence += 1;
      events.push({ visitorid, epoch, sequence, type, data });
      if (type === "presence") {
        for (const [key, value] of Object.entries(data)) state[`presence ${key}`] = value;
      } else {
        state[`${type} `] = data;
      }
    };
    if (!connected) {
      [epoch, sequence, connected, state] = [epoch + 1 + pick(1000), 0, true, {}];
      tell("visitorconn", { connected });
    } else if (pick(8) === 0) {
      connected = false;
      tell("visitorconn", { connected });
    } else if (pick(3) === 0) {
      tell("visitorsock", { connected: true, sockets: pick(4) });
    } else {
      tell("presence", { [["cart", "url", "__proto__x", "visitorconn"][pick(4)] ?? ""]: pick(100), step });
    }
  }
  return { events, state };
}

test("the documented rule gives the right state from shuffled and repeated events", () => {
  expect(text).toContain("function apply(");
  for (let seed = 1; seed <= 200; seed += 1) {
    const pick = random(seed);
    const lives = new Map(["ada", "__proto__", "bob"].map((name) => [name, life(name, pick)]));
    const events = [...lives.values()].flatMap((life) => life.events);
    for (let repeat = events.length / 2; repeat > 0; repeat -= 1) events.push(events[pick(events.length)] as Event);
    for (let place = events.length - 1; place > 0; place -= 1) {
      const other = pick(place + 1);
      [events[place], events[other]] = [events[other] as Event, events[place] as Event];
    }
    const visitors = new Map<string, Fields>();
    for (const event of events) apply(visitors, event);
    for (const [name, { state }] of lives) expect(current(visitors.get(name) as Fields)).toEqual(state);
  }
});
