// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { VestibuleError } from "../../core/errors";
import { LookupDisplay, type Code } from "./lookup";

/** The codes that the service gives, one after the other; none while the visitor is not connected. */
class Service {
  codes: (Code | Error)[] = [];
  isConnected = true;
  asked = 0;

  readonly ask = (): Promise<Code> | undefined => {
    if (!this.isConnected) return undefined;
    const next = this.codes[this.asked] as Code | Error;
    this.asked += 1;
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
}

const code = (uniqueid: string): Code => ({ uniqueid, seconds: 3_600 });
const shown = (): string | undefined => document.querySelector("#code")?.textContent;
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
let display: LookupDisplay;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = `<output id="code">none</output>`;
});
afterEach(() => {
  display.stop();
  vi.useRealTimers();
});

async function displayed(service: Service, place: string | Element = "#code"): Promise<void> {
  display = new LookupDisplay(window, place, service.ask);
  await settle();
}

test("a code is asked for when its element is there, and once", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417")] });
  document.body.innerHTML = "";
  await displayed(service);
  expect(service.asked).toBe(0);
  document.body.innerHTML = `<output id="code">none</output>`;
  await settle();
  expect(shown()).toBe("0417");
  document.body.append(document.createElement("p"));
  await settle();
  expect(service.asked).toBe(1);
});

test("an element that takes the place of the one that was filled is filled too", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417")] });
  await displayed(service);
  document.body.innerHTML = `<p><output id="code">none</output></p>`;
  await settle();
  expect([shown(), service.asked]).toEqual(["0417", 1]);
});

test("nobody is connected for the sake of the code", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417")], isConnected: false });
  await displayed(service, document.querySelector("#code")!);
  expect([shown(), service.asked]).toEqual(["none", 0]);
  service.isConnected = true;
  display.connected();
  await settle();
  expect(shown()).toBe("0417");
});

test("a code that has ended is taken away, and another one asked for as soon as somebody can be", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417"), code("0418"), code("0419")] });
  await displayed(service);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(shown()).toBe("0417");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(shown()).toBe("0418");
  service.isConnected = false;
  await vi.advanceTimersByTimeAsync(3_601_000);
  expect([shown(), service.asked]).toEqual(["", 2]);
  service.isConnected = true;
  display.connected();
  await settle();
  expect(shown()).toBe("0419");
});

test("a service that has forgotten the code gives another one with the next connection", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417"), code("0418")] });
  await displayed(service);
  display.connected();
  await settle();
  expect(shown()).toBe("0418");
});

test("somebody else has another code, and the answer to the one before is not shown to him", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417"), code("0418"), code("0419")] });
  await displayed(service);
  display.forget();
  expect(shown()).toBe("");
  display.connected();
  display.forget();
  display.connected();
  await settle();
  expect([shown(), service.asked]).toEqual(["0419", 3]);
});

test("a code that is refused, or not answered, is asked for again when the service said so, or after half a minute", async () => {
  const unready = new VestibuleError("unready", "away", undefined, 1_000);
  const service = Object.assign(new Service(), { codes: [code("0417"), unready, new VestibuleError("timeout"), code("0418"), code("0419")] });
  await displayed(service);
  await vi.advanceTimersByTimeAsync(3_601_000);
  expect([shown(), service.asked]).toEqual(["", 2]);
  await vi.advanceTimersByTimeAsync(999);
  expect(service.asked).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect([shown(), service.asked]).toEqual(["", 3]);
  await vi.advanceTimersByTimeAsync(30_000);
  expect([shown(), service.asked]).toEqual(["0418", 4]);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(service.asked).toBe(4);
});

test("a code that lives stays shown while another one is refused, and of questions only the last is repeated", async () => {
  const unready = new VestibuleError("unready", "away", undefined, 1_000);
  const service = Object.assign(new Service(), { codes: [code("0417"), unready, unready, unready, code("0418")] });
  await displayed(service);
  for (let connection = 0; connection < 3; connection += 1) {
    display.connected();
    await settle();
  }
  expect([shown(), service.asked]).toEqual(["0417", 4]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([shown(), service.asked]).toEqual(["0418", 5]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(service.asked).toBe(5);
});

test("whoever is here after a reset is not asked for what was refused to the one before", async () => {
  const service = Object.assign(new Service(), { codes: [new VestibuleError("unready", "away", undefined, 1_000), code("0418")] });
  await displayed(service);
  display.forget();
  service.isConnected = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect([shown(), service.asked]).toEqual(["none", 1]);
});

test("a place that is no selector is told at once, and nothing watches the page for it", async () => {
  const found = vi.spyOn(document, "querySelector");
  expect(() => new LookupDisplay(window, "#code[", () => undefined)).toThrow();
  const { length } = found.mock.calls;
  document.body.append(document.createElement("p"));
  await settle();
  expect(found.mock.calls).toHaveLength(length);
  found.mockRestore();
});

test("where there is no code the element stays as the page wrote it, until the next connection", async () => {
  const service = Object.assign(new Service(), { codes: [new Error("ratelimited"), code("0418")] });
  await displayed(service);
  document.body.append(document.createElement("p"));
  await settle();
  expect([shown(), service.asked]).toEqual(["none", 1]);
  display.connected();
  await settle();
  expect(shown()).toBe("0418");
});

test("what the page writes into the element itself is its own matter", async () => {
  const service = Object.assign(new Service(), { codes: [code("0417"), code("0417")] });
  await displayed(service);
  document.querySelector("#code")!.textContent = "ask us";
  await settle();
  expect(shown()).toBe("ask us");
  display.connected();
  await settle();
  expect([shown(), service.asked]).toEqual(["ask us", 2]);
  display.forget();
  expect(shown()).toBe("ask us");
});
