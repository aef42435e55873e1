import { beforeEach } from "vitest";
import { FakePage, FakeServer, type FakeSocket } from "../core/testing";
import type { VisitorEvents } from "./options";
import { Visitor } from "./visitor";

/** Of each test its own. */
export let server: FakeServer;
export let page: FakePage;
export let events: [keyof VisitorEvents, unknown][];

beforeEach(() => {
  server = new FakeServer();
  page = new FakePage();
  events = [];
});

/** Another page takes the place of the one before. */
export function shows(next: FakePage): void {
  page = next;
}

/** A visitor of that server, on that page, whose events are taken down. */
export function visitor(options: object = {}, on: FakePage = page): Visitor {
  const made = new Visitor({
    server: "http://presence.test",
    group: 12345,
    environment: server.environment,
    page: on.window,
    identity: on.identity,
    ...options,
  });
  const names = ["signal", "invoke", "focus", "blur", "uniqueid", "close", "error", "connected", "disconnected"] as const;
  for (const name of names) made.on(name, (data: unknown) => events.push([name, data]));
  return made;
}

export const names = () => events.map(([name]) => name);

export async function connected(made = visitor({ visitorid: "ada" })): Promise<FakeSocket> {
  const done = made.connect();
  const socket = await server.welcome();
  await done;
  return socket;
}
