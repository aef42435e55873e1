/** Topics by `site_connect`: the documented examples on the server, what the group opens, and what it does not. */

import { expect, test } from "vitest";
import { ConnectPage } from "./support/connect";
import { GROUP, mintToken } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage({ settings: { topics: { visitor_publish: ["truck/#", "boat/#", "done/#"], visitor_subscribe: ["truck/#", "boat/#", "done/#", "+/+/temperature"] } } });

const token = (): string => mintToken({ scope: "topics", topics: { publish: ["#"], subscribe: ["#"] } });

/** The filters of the documentation, and what they choose. */
const EXAMPLES = {
  "truck/0001/temperature": ["truck/0001/temperature"],
  "truck/+/temperature": ["truck/0001/temperature", "truck/0002/temperature"],
  "+/+/temperature": ["truck/0001/temperature", "truck/0002/temperature", "boat/7/temperature"],
  "truck/0001/#": ["truck/0001/temperature", "truck/0001/door/left", "truck/0001"],
};
const PUBLISHED = ["truck/0001/temperature", "truck/0002/temperature", "boat/7/temperature", "truck/0001/door/left", "truck/0001", "boat/7/door", "done/it"];

/** Listens to the examples apart, each in a journal of its own. */
const LISTENS = `for (const filter of [...${JSON.stringify(Object.keys(EXAMPLES))}, "done/#"]) {
  site_connect.subscribe(filter, (topic, message) => note(filter, "heard", [topic, message]), () => note("connect", "ack:" + filter));
}`;

async function examplesHold(listener: ConnectPage, publish: (topic: string) => Promise<unknown>): Promise<void> {
  for (const filter of Object.keys(EXAMPLES)) await listener.journal.next(`ack:${filter}`);
  await listener.journal.next("ack:done/#");
  for (const topic of PUBLISHED) await publish(topic);
  await listener.visitor.diary.journal("done/#").next("heard");
  for (const [filter, topics] of Object.entries(EXAMPLES)) {
    const heard = listener.visitor.diary.journal(filter).all("heard");
    expect(heard, filter).toEqual(topics.map((topic) => [topic, { of: topic }]));
  }
}

test("the documented examples choose what they say, from another visitor's page, each message once and in order", async () => {
  const publisher = await ConnectPage.open(stage);
  await publisher.code();
  await examplesHold(await ConnectPage.open(stage, { script: LISTENS }), (topic) => publisher.publish(topic, { of: topic }));
});

test("and from a back end, and within one page", async () => {
  const listener = await ConnectPage.open(stage, { script: LISTENS });
  await examplesHold(listener, (topic) => listener.publish(topic, { of: topic }));
  const other = await ConnectPage.open(stage, { script: LISTENS });
  await examplesHold(other, (topic) =>
    stage.server.rest("POST", `/groups/${GROUP}/topics/publish`, token(), { topic, data: { of: topic } }).then(({ status, body }) => expect(status, JSON.stringify(body)).toBeLessThan(300)),
  );
});

test("the same examples within the page, below ~/", async () => {
  const visitor = await ConnectPage.open(stage);
  const heard = await visitor.page.evaluate(
    ({ examples, published }) => {
      const connect = (window as any).site_connect;
      const heard: Record<string, string[]> = {};
      for (const filter of examples) {
        heard[filter] = [];
        connect.subscribe(`~/${filter}`, (topic: string) => heard[filter]!.push(topic.slice(2)));
      }
      for (const topic of published) connect.publish(`~/${topic}`, 1);
      return heard;
    },
    { examples: Object.keys(EXAMPLES), published: PUBLISHED },
  );
  expect(heard).toEqual(EXAMPLES);
});

test("what the group does not open is refused, told on the console, and never heard", async () => {
  const visitor = await ConnectPage.open(stage, { script: `listen("plane/#"); listen("done/#"); listen("truck/#");` });
  await visitor.code();
  await visitor.journal.next("ack:done/#");
  await visitor.publish("plane/1/temperature", 1);
  await visitor.publish("done/it", 2);
  await visitor.journal.next("done/it");
  expect(visitor.journal.names).not.toContain("ack:plane/#");
  expect(visitor.journal.names).not.toContain("plane/1/temperature");
  expect(visitor.warnings).toEqual([expect.stringContaining("cannot subscribe to plane/#: "), expect.stringContaining("cannot publish to plane/1/temperature: ")]);
});

test("a filter that begins with a wildcard hears the page, the frame and the server, each message once", async () => {
  const visitor = await ConnectPage.open(stage, { script: `listen("+/+/temperature"); listen("done/#");` });
  await visitor.code();
  await visitor.journal.next("ack:+/+/temperature");
  await visitor.journal.next("ack:done/#");
  for (const first of ["~", "~pagesession", "truck"]) await visitor.publish(`${first}/0001/temperature`, first);
  await visitor.publish("done/it");
  await visitor.journal.next("done/it");
  expect(visitor.journal.names.filter((name) => name.endsWith("temperature") && !name.startsWith("ack"))).toEqual(["~/0001/temperature", "~pagesession/0001/temperature", "truck/0001/temperature"]);
});

test("subscriptions outlive a cut, a server that starts anew, and a frame that is put back", async () => {
  const visitor = await ConnectPage.open(stage, { script: `listen("truck/#");` });
  await visitor.journal.next("ack:truck/#");
  const publish = async (topic: string): Promise<void> => {
    const { status, body } = await stage.server.rest("POST", `/groups/${GROUP}/topics/publish`, token(), { topic, data: 1 });
    expect(status, JSON.stringify(body)).toBeLessThan(300);
  };
  await publish("truck/1");
  await visitor.journal.next("truck/1");
  await stage.server.stop();
  await stage.server.launch();
  await publish("truck/2");
  await visitor.journal.next("truck/2");
  await visitor.page.evaluate(() => document.querySelector("iframe")!.parentElement!.remove());
  await visitor.listen("done/#");
  await publish("truck/3");
  await visitor.journal.next("truck/3");
  expect(visitor.journal.names.filter((name) => name.startsWith("truck/"))).toEqual(["truck/1", "truck/2", "truck/3"]);
  expect(visitor.journal.names.filter((name) => name === "ack:truck/#")).toHaveLength(1);
});
