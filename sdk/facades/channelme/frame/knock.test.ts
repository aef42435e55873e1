import { Window as FakeWindow } from "happy-dom";
import { expect, test } from "vitest";
import { CHANNEL } from "../messages";
import { mayHold } from "./facts";
import { knock } from "./knock";

const facts = { group: "12345", ticket: "", origins: ["https://shop.test"] };
const own = "https://server.test";

test("the group's pages and the server's own may hold the frame, and those of this machine on trial", () => {
  for (const origin of [own, "https://shop.test"]) expect(mayHold(facts, own, origin)).toBe(true);
  const loopback = ["http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:80"];
  for (const origin of [...loopback, "https://shop.test.evil.test", "http://shop.test", "null", ""]) expect(mayHold(facts, own, origin), origin).toBe(false);
  for (const origin of loopback) expect(mayHold({ ...facts, loopback: true }, own, origin), origin).toBe(true);
  for (const origin of ["http://localhost.evil.test", "http://127.0.0.1.evil.test", "https://evil.test/http://localhost"]) {
    expect(mayHold({ ...facts, loopback: true }, own, origin), origin).toBe(false);
  }
});

test("the frame takes one answer, from the page around it, of an origin that may hold it, with a port", () => {
  const page = new FakeWindow({ url: own }) as unknown as Window & { parent: unknown; Event: typeof Event };
  const said: unknown[][] = [];
  const around = { postMessage: (...call: unknown[]) => said.push(call) };
  Object.defineProperty(page, "parent", { value: around });
  const opened: unknown[] = [];
  knock(page, facts.group, (origin) => mayHold(facts, own, origin), (port) => opened.push(port));
  expect(said).toEqual([[{ channel: CHANNEL, group: "12345" }, "*"]]);
  const hears = (parts: object): void => {
    const event = Object.assign(new page.Event("message"), { source: around, origin: "https://shop.test", data: { channel: CHANNEL }, ports: ["port"] }, parts);
    page.dispatchEvent(event);
  };
  for (const wrong of [{ source: page }, { source: null }, { origin: "https://evil.test" }, { data: { channel: "other" } }, { data: null }, { ports: [] }]) hears(wrong);
  expect(opened).toEqual([]);
  hears({});
  hears({ ports: ["another"] });
  expect(opened).toEqual(["port"]);
});

test("a frame that stands in no page says nothing", () => {
  const page = new FakeWindow({ url: own }) as unknown as Window;
  Object.defineProperty(page, "parent", { value: page });
  const said: unknown[] = [];
  page.postMessage = ((message: unknown) => said.push(message)) as never;
  knock(page, undefined, () => true, () => said.push("opened"));
  expect(said).toEqual([]);
});
