import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Broker } from "./broker";
import { Buttons } from "./buttons";

type Call = readonly unknown[];

let told: Call[];
let warnings: string[];
let beyond: Call[];
let broker: Broker;

const handler = (name: string) => (topic: string, message: unknown, id: string): void => void told.push([name, topic, message, id]);
const acknowledge = (name: string) => (): void => void told.push([name, "ack"]);
/** What was told, without the subscriptions' ids. */
const heard = (): Call[] => told.map(([name, topic, message]) => (topic === "ack" ? [name, topic] : [name, topic, message]));

function make(replays = true): Broker {
  return new Broker(
    {
      subscribe: (filter) => void beyond.push(["subscribe", filter]),
      unsubscribe: (filter) => void beyond.push(["unsubscribe", filter]),
      publish: (topic, message) => void beyond.push(["publish", topic, message]),
    },
    { replays, warn: (message) => void warnings.push(message), later: (run) => setTimeout(run) },
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  [told, warnings, beyond] = [[], [], []];
  broker = make();
});

afterEach(() => void vi.useRealTimers());

describe("1. matching", () => {
  test.each(["a/#/b", "a+/b", "a/b#", "", "$share/x/y", "a\0", "~foo/x", "~session/x", "~~"])("%j gives no subscription, calls nothing, and is told to the developer", (filter) => {
    expect(broker.subscribe(filter, handler("a"), acknowledge("a"))).toBeUndefined();
    vi.runAllTimers();
    expect([told, beyond]).toEqual([[], []]);
    expect(warnings).toEqual([expect.stringMatching(/^cannot subscribe to .*: it /)]);
  });

  test.each([[undefined], [7], [{}], [null]])("neither does %j", (filter) => {
    expect(broker.subscribe(filter, handler("a"))).toBeUndefined();
    expect(broker.subscribe("a", filter)).toBeUndefined();
    expect(warnings).toHaveLength(2);
  });

  test("`~/#` chooses what is below `~` and `~` itself, and nothing of the frame", () => {
    broker.subscribe("~/#", handler("a"));
    for (const topic of ["~/x", "~/x/y", "~"]) broker.publish(topic, 1);
    broker.publish("~pagesession/x", 1);
    expect(heard()).toEqual([["a", "~/x", 1], ["a", "~/x/y", 1], ["a", "~", 1]]);
  });
});

describe("2. routing", () => {
  test("by the first level: the page, the frame, the server; both where it is a wildcard", () => {
    for (const filter of ["~/a", "~pagesession/a", "truck/+/temperature", "+/a", "#"]) broker.subscribe(filter, handler(filter));
    expect(beyond).toEqual(["~pagesession/a", "truck/+/temperature", "+/a", "#"].map((filter) => ["subscribe", filter]));
    broker.publish("~/a", 1);
    expect(heard()).toEqual([["~/a", "~/a", 1], ["+/a", "~/a", 1], ["#", "~/a", 1]]);
    told = [];
    broker.publish("~pagesession/a", 2);
    broker.publish("truck/1/temperature", 3);
    expect(told).toEqual([]);
    expect(beyond.slice(4)).toEqual([["publish", "~pagesession/a", 2], ["publish", "truck/1/temperature", 3]]);
    for (const filter of ["~pagesession/a", "+/a", "#"]) broker.arrived(filter, "~pagesession/a", 2);
    expect(heard()).toEqual(["~pagesession/a", "+/a", "#"].map((filter) => [filter, "~pagesession/a", 2]));
  });

  test("what a filter chose beyond reaches each of its subscriptions once", () => {
    broker.subscribe("a/#", handler("one"));
    broker.subscribe("a/#", handler("two"));
    broker.subscribe("a/b", handler("three"));
    broker.arrived("a/#", "a/b", 1);
    expect(heard()).toEqual([["one", "a/b", 1], ["two", "a/b", 1]]);
  });
});

describe("3. callbacks, and 4. acknowledgements", () => {
  test("a message comes with its topic and the subscription; nothing comes before subscribe returns", () => {
    broker.retain("~/a", 1);
    const id = broker.subscribe("~/a", handler("a"), acknowledge("a"));
    expect(told).toEqual([]);
    vi.runAllTimers();
    expect(told).toEqual([["a", "ack"], ["a", "~/a", 1, id]]);
  });

  test("a filter beyond is acknowledged when it is in force there, once for each subscription", () => {
    broker.subscribe("a", handler("one"), acknowledge("one"));
    broker.subscribe("a", handler("two"), acknowledge("two"));
    vi.runAllTimers();
    expect([told, beyond]).toEqual([[], [["subscribe", "a"]]]);
    broker.settled("a");
    expect(heard()).toEqual([["one", "ack"], ["two", "ack"]]);
    // A frame that comes anew says so again.
    broker.connected();
    expect(beyond).toEqual([["subscribe", "a"], ["subscribe", "a"]]);
    broker.subscribe("a", handler("three"), acknowledge("three"));
    broker.settled("a");
    broker.subscribe("a", handler("four"), acknowledge("four"));
    expect(heard().slice(2)).toEqual([["three", "ack"]]);
    vi.runAllTimers();
    expect(heard().slice(3)).toEqual([["four", "ack"]]);
  });

  test("what is refused beyond is told to the developer and not acknowledged; a wildcard stays in force on the page", () => {
    broker.subscribe("a", handler("a"), acknowledge("a"));
    broker.subscribe("#", handler("#"), acknowledge("#"));
    broker.settled("a", "not allowed");
    broker.settled("#", "not allowed");
    broker.publish("~/x", 1);
    broker.arrived("a", "a", 1);
    expect(heard()).toEqual([["#", "ack"], ["#", "~/x", 1]]);
    expect(warnings).toEqual(["cannot subscribe to a: not allowed", "cannot subscribe to #: not allowed"]);
    // It may be tried again.
    broker.subscribe("a", handler("a"));
    expect(beyond.filter(([what, filter]) => what === "subscribe" && filter === "a")).toHaveLength(2);
  });
});

describe("5. subscription ids", () => {
  test("are texts that never come again; unknown ones are passed over; the last of a filter takes it out of force", () => {
    const ids = [1, 2, 3].map(() => broker.subscribe("a", handler("a"), acknowledge("a")));
    expect(new Set(ids).size).toBe(3);
    for (const id of ["nothing", undefined, 7, {}]) broker.unsubscribe(id);
    broker.unsubscribe(ids[0]);
    broker.unsubscribe(ids[1]);
    expect(beyond).toEqual([["subscribe", "a"]]);
    broker.unsubscribe(ids[2]);
    broker.unsubscribe(ids[2]);
    expect(beyond.slice(1)).toEqual([["unsubscribe", "a"]]);
    broker.settled("a");
    vi.runAllTimers();
    expect(told).toEqual([]);
  });

  test("unsubscribe inside of a callback acts at once", () => {
    let second: string | undefined;
    broker.subscribe("~/a", () => broker.unsubscribe(second));
    second = broker.subscribe("~/a", handler("second"), acknowledge("second"));
    broker.publish("~/a", 1);
    vi.runAllTimers();
    expect(told).toEqual([]);
  });

  test("who subscribes inside of a callback hears what is said from then on", () => {
    broker.subscribe("~/a", () => void broker.subscribe("~/a", handler("later")));
    broker.publish("~/a", 1);
    expect(told).toEqual([]);
  });
});

describe("6. delivery", () => {
  test("within the page before publish returns, in order; an error in one function stops no other", () => {
    broker.subscribe("~/a", () => {
      throw new Error("of the page");
    });
    broker.subscribe("~/+", handler("b"));
    broker.publish("~/a", 1);
    broker.publish("~/a", 2);
    expect(heard()).toEqual([["b", "~/a", 1], ["b", "~/a", 2]]);
    // Reported as uncaught, later.
    expect(() => vi.runAllTimers()).toThrow("of the page");
  });

  test("the page's value itself arrives, and a wrong topic nowhere", () => {
    const message = { run: () => 1 };
    broker.subscribe("#", handler("a"));
    broker.publish("~/a", message);
    expect(told[0]![2]).toBe(message);
    told = [];
    for (const topic of ["~/+", "a/#", "", "~foo/x", 7, undefined]) broker.publish(topic, 1);
    expect([told, beyond.slice(1)]).toEqual([[], []]);
    expect(warnings).toHaveLength(6);
  });
});

describe("7. late subscribers", () => {
  test("hear the last of what is retained, once, and only they", () => {
    broker.subscribe("~/#", handler("early"));
    broker.announce("~/site_connect/ready", { code: "1" }, true);
    broker.announce("~/site_connect/retry", {}, false);
    expect(heard()).toEqual([["early", "~/site_connect/ready", { code: "1" }], ["early", "~/site_connect/retry", {}]]);
    told = [];
    broker.subscribe("+/site_connect/#", handler("late"));
    // Said between subscribe and its next task: heard live, and not once more.
    broker.announce("~/site_connect/new_code", { code: "2" }, true);
    vi.runAllTimers();
    expect(heard().filter(([name]) => name === "late")).toEqual([
      ["late", "~/site_connect/new_code", { code: "2" }],
      ["late", "~/site_connect/ready", { code: "1" }],
    ]);
    expect(heard().filter(([name]) => name === "early")).toHaveLength(1);
  });

  test("hear it in the order in which it was last said, also what became so while they waited", () => {
    broker.announce("~/a", 1, true);
    broker.announce("~/b", 1, true);
    broker.announce("~/a", 2, true);
    broker.subscribe("~/+", handler("late"));
    broker.retain("~/b", 2);
    broker.retain("~/c", 2);
    expect(told).toEqual([]);
    vi.runAllTimers();
    expect(heard()).toEqual([["late", "~/a", 2], ["late", "~/b", 2]]);
  });

  test("nothing, where the page says so", () => {
    broker = make(false);
    broker.retain("~/a", 1);
    broker.subscribe("~/a", handler("a"), acknowledge("a"));
    vi.runAllTimers();
    expect(told).toEqual([["a", "ack"]]);
  });

  test("hear how each button stands, also one that nobody has heard of", () => {
    const buttons = new Buttons(broker);
    const topic = (button: string, state: string): string => `~/site_connect/chat_button/${button}/${state}`;
    broker.subscribe(topic("help", "disabled"), handler("named"));
    buttons.all(["sales"]);
    buttons.change("sales", false);
    buttons.change("sales", false);
    buttons.change("sales", true);
    expect(heard()).toEqual([["named", topic("help", "disabled"), undefined]]);
    told = [];
    for (const filter of [topic("+", "#"), topic("other", "disabled"), topic("other", "enabled"), topic("sales", "enabled"), topic("sales", "disabled")]) {
      buttons.named(filter);
      broker.subscribe(filter, handler(filter));
    }
    vi.runAllTimers();
    const all = topic("+", "#");
    // The first did not know of the last button when it came.
    expect(heard()).toEqual([
      [all, topic("help", "disabled"), undefined],
      [all, topic("sales", "enabled"), undefined],
      [topic("other", "disabled"), topic("other", "disabled"), undefined],
      [topic("sales", "enabled"), topic("sales", "enabled"), undefined],
    ]);
    buttons.clear();
    told = [];
    broker.subscribe("~/#", handler("after"));
    vi.runAllTimers();
    expect(told).toEqual([]);
  });
});

describe("12. topics of the frame as commands, and 14. isolation", () => {
  test.each(["cobrowsing/start", "cobrowsing/stop", "cobrowsing", "proactive/trigger"])("a page cannot say ~pagesession/%s", (rest) => {
    broker.publish(`~pagesession/${rest}`, 1);
    expect(beyond).toEqual([]);
    expect(warnings).toEqual([`cannot publish to ~pagesession/${rest}: only the service says so`]);
  });

  test.each(["chat/trigger", "show_frame", "minimize_frame", "hide_frame", "own/topic"])("it can say ~pagesession/%s", (rest) => {
    broker.publish(`~pagesession/${rest}`, "sales");
    expect(beyond).toEqual([["publish", `~pagesession/${rest}`, "sales"]]);
  });

  test("nothing under ~/ leaves the page, and nothing that arrives speaks under ~/", () => {
    for (const filter of ["~/#", "~/a", "~", "~/+/b"]) broker.subscribe(filter, handler(filter));
    for (const topic of ["~/a", "~", "~/site_connect/ready"]) broker.publish(topic, "secret");
    expect(beyond).toEqual([]);
    broker.subscribe("#", handler("all"));
    told = [];
    for (const topic of ["~/site_connect/ready", "~/a", "~"]) for (const filter of ["#", "~/#", "~/a"]) broker.arrived(filter, topic, "forged");
    expect(told).toEqual([]);
  });
});
