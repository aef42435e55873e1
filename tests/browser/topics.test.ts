/** Topics in real pages: a visitor on the customer's site, whose connection is cut, and an agent on another page. */

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { GROUP, mintToken } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";

const stage = useStage({ settings: { topics: { visitor_publish: ["from/#"], visitor_subscribe: ["truck/#", "from/#"], history: 1_000 } } });

/** Stands between a page and the server, and breaks connections off without a word. */
class Wire {
  private readonly sockets = new Set<Socket>();
  private broken = false;

  private constructor(private readonly server: Server) {}

  static async to(origin: string): Promise<Wire> {
    const { hostname, port } = new URL(origin);
    const wire = new Wire(createServer());
    wire.server.on("connection", (near) => {
      if (wire.broken) return near.destroy();
      const far = connect(Number(port), hostname);
      for (const [one, other] of [[near, far], [far, near]] as const) {
        wire.sockets.add(one);
        one.pipe(other);
        one.on("error", () => {});
        one.on("close", () => void (other.destroy(), wire.sockets.delete(one)));
      }
    });
    await new Promise<void>((resolve) => wire.server.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.broken = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.broken = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}

const wires: Wire[] = [];
afterAll(() => wires.forEach((wire) => wire.close()));

/** A page with the module of one side and that of topics; `script` has `topics`, and tells by `note`. */
function moduleHtml(server: string, side: "Visitor" | "Agent", options: object, script: string): string {
  const body = `<script type="module">
    import { ${side} } from "${server}/sdk/${side.toLowerCase()}.js";
    import { Topics } from "${server}/sdk/topics.js";
    const host = new ${side}({ server: "${server}", group: "${GROUP}", ...${JSON.stringify(options)} });
    host.on("disconnected", () => note("page", "disconnected"));
    host.on("connected", () => note("page", "connected"));
    const topics = window.topics = new Topics(host);
    const heard = ({ topic, data, retained }) => note("page", "heard", { topic, data, ...(retained && { retained }) });
    await host.connect();
    ${script}
    note("page", "ready");
  </script>`;
  return html({ body });
}

const publish = (page: Page, topic: string, data: unknown, options?: object): Promise<any> =>
  page.evaluate(({ topic, data, options }) => (window as any).topics.publish(topic, data, options), { topic, data, options });

async function open(name: string, side: "Visitor" | "Agent", server: string, options: object, script: string) {
  const { context, diary } = await stage.person(name);
  const page = await context.newPage();
  await page.goto(stage.site.page(`/${name}`, moduleHtml(server, side, options, script)));
  const journal = diary.journal("page");
  await journal.next("ready");
  return { page, journal };
}

const agentToken = (): string => mintToken({ scope: "topics", topics: { publish: ["#"], subscribe: ["#"] } });

test("the filters of the guide choose their topics, on both sides and from a back end", async () => {
  const filters = ["truck/+/temperature", "truck/0001/#"];
  const visitor = await open("visitor", "Visitor", stage.server.origin, {}, `for (const filter of ${JSON.stringify(filters)}) {
    await topics.subscribe(filter, ({ topic }) => note("page", filter, topic));
  }`);
  const agent = await open("agent", "Agent", stage.server.origin, { token: agentToken() }, `await topics.subscribe("+/+/temperature", heard);
    await topics.subscribe("from/#", heard);`);
  for (const topic of ["truck/0001/temperature", "truck/0002/temperature", "boat/1/temperature", "truck/0001/door/left", "truck/0001"]) {
    const { status, body } = await stage.server.rest("POST", `/groups/${GROUP}/topics/publish`, agentToken(), { topic, data: 1 });
    expect([status, typeof body.position.offset]).toEqual([200, "number"]);
  }
  await publish(visitor.page, "from/visitor", "done");
  await agent.journal.next("heard", ({ topic }) => topic === "from/visitor");
  expect(agent.journal.all("heard").map(({ topic }) => topic)).toEqual([
    "truck/0001/temperature",
    "truck/0002/temperature",
    "boat/1/temperature",
    "from/visitor",
  ]);
  await visitor.journal.next("truck/0001/#", (topic) => topic === "truck/0001");
  expect(visitor.journal.all("truck/+/temperature")).toEqual(["truck/0001/temperature", "truck/0002/temperature"]);
  expect(visitor.journal.all("truck/0001/#")).toEqual(["truck/0001/temperature", "truck/0001/door/left", "truck/0001"]);
  const forbidden = visitor.page.evaluate(() => (window as any).topics.publish("truck/0001/x", 1).catch((error: any) => error.code));
  expect(await forbidden).toBe("scope");
});

test("a page whose connection is cut misses nothing and hears nothing twice", async () => {
  const wire = await Wire.to(stage.server.origin);
  wires.push(wire);
  const visitor = await open("visitor-2", "Visitor", wire.origin, {}, `await topics.subscribe("truck/9/#", heard, { onmissed: () => note("page", "missed") });`);
  const agent = await open("agent-2", "Agent", stage.server.origin, { token: agentToken() }, "");
  const send = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += 1) await publish(agent.page, `truck/9/${n % 3}`, n);
  };
  const heard = (): unknown[] => visitor.journal.all("heard").map(({ data }) => data);
  const last = (n: number): Promise<unknown> => visitor.journal.next("heard", ({ data }) => data === n, 20_000);
  await send(0, 20);
  await last(19);
  for (let round = 1; round <= 3; round += 1) {
    wire.cut();
    await visitor.journal.next("disconnected");
    await send(20 * round, 20 * round + 10);
    wire.mend();
    await send(20 * round + 10, 20 * round + 20);
    await last(20 * round + 19);
  }
  expect(heard()).toEqual(Array.from({ length: 80 }, (_, n) => n));
  expect(visitor.journal.all("missed")).toEqual([]);
  // A planned restart keeps what was published; a crash does not, and the page is told.
  await stage.server.stop();
  await stage.server.launch();
  await send(80, 85);
  await last(84);
  expect(heard()).toEqual(Array.from({ length: 85 }, (_, n) => n));
  await stage.server.stop("SIGKILL");
  await stage.server.launch();
  await visitor.journal.next("missed", undefined, 20_000);
  await send(85, 86);
  await last(85);
});

test("the last value awaits a page that comes later, and stays behind the place of one that goes on", async () => {
  const agent = await open("agent-3", "Agent", stage.server.origin, { token: agentToken() }, "");
  await publish(agent.page, "truck/7/door", "open", { retain: true });
  await publish(agent.page, "truck/7/door", "closed", { retain: true, expiry: 600 });
  const script = `const known = JSON.parse(sessionStorage.getItem("place") ?? "null");
    const doors = await topics.subscribe("truck/7/#", heard, known ? { resume: known } : {});
    window.keep = () => sessionStorage.setItem("place", JSON.stringify(doors.position));`;
  const visitor = await open("visitor-3", "Visitor", stage.server.origin, {}, script);
  expect(await visitor.journal.next("heard")).toEqual({ topic: "truck/7/door", data: "closed", retained: true });
  await publish(agent.page, "truck/7/door", "ajar");
  await visitor.journal.next("heard", ({ data }) => data === "ajar");
  await visitor.page.evaluate(() => (window as any).keep());
  await publish(agent.page, "truck/7/speed", 3);
  await visitor.page.reload();
  await visitor.journal.next("ready");
  await visitor.journal.next("heard", ({ data }) => data === 3);
  const again = visitor.journal.all("heard").filter(({ data }) => data === "closed");
  expect(again).toHaveLength(1);
});
