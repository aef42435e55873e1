import { beforeEach, expect, test } from "vitest";
import { settle } from "../../../core/testing";
import type { ToPage } from "../messages";
import { Tree } from "./tree";

type Hear = (message: { readonly topic: string; readonly data: unknown }) => void;

let told: ToPage[];
let server: { handlers: Map<string, Hear>; ended: string[]; published: unknown[][]; refuse: string | undefined };
let tree: Tree;

beforeEach(() => {
  told = [];
  server = { handlers: new Map(), ended: [], published: [], refuse: undefined };
  tree = new Tree(
    {
      async subscribe(filter, handler) {
        if (server.refuse) throw new Error(server.refuse);
        server.handlers.set(filter, handler);
        return { unsubscribe: () => void server.ended.push(filter) };
      },
      async publish(topic, data) {
        if (server.refuse) throw new Error(server.refuse);
        server.published.push([topic, data]);
      },
    },
    (message) => told.push(message),
  );
});

test("the frame's topics are in force at once, the server's when it says so, wildcards in both places", async () => {
  tree.subscribe("~pagesession/#");
  expect(told).toEqual([{ say: "subscribed", filter: "~pagesession/#" }]);
  tree.subscribe("truck/#");
  tree.subscribe("#");
  expect(told).toHaveLength(1);
  await settle();
  expect(told.slice(1)).toEqual([{ say: "subscribed", filter: "truck/#" }, { say: "subscribed", filter: "#" }]);
  expect([...server.handlers.keys()]).toEqual(["truck/#", "#"]);
  told = [];
  tree.publish("~pagesession/hide_frame", 1);
  server.handlers.get("truck/#")?.({ topic: "truck/1", data: 2 });
  expect(told).toEqual([
    { say: "message", filter: "~pagesession/#", topic: "~pagesession/hide_frame", data: 1 },
    { say: "message", filter: "#", topic: "~pagesession/hide_frame", data: 1 },
    { say: "message", filter: "truck/#", topic: "truck/1", data: 2 },
  ]);
});

test("what the server refuses is said; of a wildcard the frame's part stays", async () => {
  server.refuse = "not allowed";
  tree.subscribe("plane");
  tree.subscribe("+/x");
  tree.said("plane", 1);
  await settle();
  tree.publish("~pagesession/x", 1);
  expect(told).toContainEqual({ say: "subscribed", filter: "plane", problem: "not allowed" });
  expect(told).toContainEqual({ say: "subscribed", filter: "+/x", problem: "not allowed" });
  expect(told).toContainEqual({ say: "refused", topic: "plane", problem: "not allowed" });
  expect(told[told.length - 1]).toEqual({ say: "message", filter: "+/x", topic: "~pagesession/x", data: 1 });
});

test("a filter that is given up is over in both places, also before the server has answered", async () => {
  for (const filter of ["#", "truck/#"]) {
    tree.subscribe(filter);
    tree.unsubscribe(filter);
  }
  await settle();
  expect(server.ended).toEqual(["#", "truck/#"]);
  tree.publish("~pagesession/x", 1);
  expect(told).toEqual([]);
});

test("the frame does what its topics say, whoever says it, and what is the server's it passes on", async () => {
  const done: unknown[] = [];
  tree.on("~pagesession/show_frame", (topic, data) => done.push([topic, data]));
  tree.said("~pagesession/show_frame", "by the page");
  tree.publish("~pagesession/show_frame", "by itself");
  tree.said("truck/1", { celsius: 4 });
  await settle();
  expect(done).toEqual([["~pagesession/show_frame", "by the page"], ["~pagesession/show_frame", "by itself"]]);
  expect(server.published).toEqual([["truck/1", { celsius: 4 }]]);
});
