/** The official JavaScript client of CometD, as it is, under Node: everything that `docs/bayeux.md` promises it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Client, Line, type Transport } from "./support/bayeux";
import { Server } from "./support/server";

const TIMEOUT_MS = 1500;

let server: Server;
const clients: Client[] = [];

beforeAll(async () => {
  const settings = { groupFacades: { genesys: "token" }, bayeux: { timeout_ms: TIMEOUT_MS } };
  server = await Server.start({ siteOrigin: "http://127.0.0.1:1", settings });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => (client.cometd.isDisconnected() ? undefined : client.leave())));
});
afterAll(() => server.dispose());

function client(transport: Transport, options: { acks?: boolean; origin?: string } = {}): Client {
  const made = new Client(options.origin ?? server.origin, transport, options);
  clients.push(made);
  return made;
}

describe.each<Transport>(["websocket", "long-polling"])("over %s", (transport) => {
  test("from handshake to disconnect, with wildcards and a batch", async () => {
    const [ada, bob] = [await client(transport).open(), await client(transport).open()];
    expect(ada.cometd.getTransport()?.type).toBe(transport);
    expect((await ada.subscribe("/desk/*")).successful).toBe(true);
    expect((await bob.subscribe("/desk/**")).successful).toBe(true);
    expect((await ada.publish("/desk/news", { n: 1 })).successful).toBe(true);
    await bob.until("what ada said", () => bob.heard.length === 1);
    expect(ada.heard, "a publisher hears himself").toEqual([{ n: 1 }]);
    bob.cometd.batch(() => {
      for (let n = 2; n < 12; n += 1) bob.cometd.publish("/desk/news", { n });
    });
    await ada.until("the batch", () => ada.heard.length === 11);
    expect(ada.heard).toEqual(Array.from({ length: 11 }, (_, at) => ({ n: at + 1 })));
    expect((await ada.publish("/service/none", {})).error).toBe("403:denied_by_security_policy:publish denied");
    expect((await ada.leave()).successful).toBe(true);
    expect(ada.cometd.getStatus()).toBe("disconnected");
  });

  test("connects are held, answered, and made again", async () => {
    const ada = await client(transport).open();
    const began = Date.now();
    const before = ada.count("/meta/connect");
    await ada.until("three holds", () => ada.count("/meta/connect") >= before + 3);
    const took = Date.now() - began;
    expect(took).toBeGreaterThanOrEqual(3 * TIMEOUT_MS - 100);
    expect(ada.meta.filter((message) => !message.successful)).toEqual([]);
  });

  test("a restart is a pause", async () => {
    const ada = await client(transport).open();
    await ada.subscribe("/a");
    const before = ada.cometd.getClientId();
    await server.stop("SIGTERM");
    await server.launch();
    const connects = ada.count("/meta/connect");
    await ada.until("a connect", () => ada.count("/meta/connect") > connects);
    expect(ada.cometd.getClientId(), "the same client").toBe(before);
    expect((await ada.publish("/a", 1)).successful).toBe(true);
    await ada.until("its own message", () => ada.heard.length === 1);
    expect(ada.count("/meta/handshake")).toBe(1);
  });

  test("after a crash the client is unknown and shakes hands anew", async () => {
    const ada = await client(transport).open();
    const before = ada.cometd.getClientId();
    await server.stop("SIGKILL");
    await server.launch();
    await ada.until("a second handshake", () => ada.count("/meta/handshake") === 2);
    expect(ada.cometd.getClientId()).not.toBe(before);
    expect(ada.meta.some((message) => message.error === "402::Unknown client")).toBe(true);
    await ada.subscribe("/a");
    await ada.publish("/a", "again");
    await ada.until("a message", () => ada.heard.length === 1);
  });

  test("with acknowledgements nothing is lost or repeated on a bad line", async () => {
    const line = await Line.to(server.host);
    try {
      const ada = await client(transport, { acks: true, origin: line.origin }).open();
      const bob = await client("websocket").open();
      await ada.subscribe("/a");
      let sent = 0;
      for (let round = 0; round < 3; round += 1) {
        await bob.publish("/a", (sent += 1));
        line.cut();
        await bob.publish("/a", (sent += 1));
        await bob.publish("/a", (sent += 1));
        line.mend();
        await ada.until("all messages", () => ada.heard.length >= sent);
      }
      expect(ada.heard).toEqual(Array.from({ length: sent }, (_, at) => at + 1));
      expect(ada.count("/meta/handshake")).toBe(1);
    } finally {
      await line.close();
    }
  });
});
