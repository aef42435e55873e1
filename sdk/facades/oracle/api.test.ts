import { expect, test, vi } from "vitest";
import { makeCobrowse } from "./api";
import { Events } from "./events";
import type { Link } from "./link";
import { Machine } from "./machine";

/** The object of a page that is ready to start. */
function ready() {
  const machine = new Machine("S");
  machine.apply({ what: "vacant" });
  const link = { start: vi.fn(), stop: vi.fn() };
  const { API } = makeCobrowse({
    machine,
    link: link as unknown as Link,
    sources: new Events().sources,
    isAble: true,
    language: undefined,
    agree: () => undefined,
    onChange: () => {},
  });
  return { machine, link, API };
}

/** What is neither text nor a number, some of which cannot even be made one. */
const odd = [{}, [], () => {}, Object.create(null)];

test.each([[undefined], [null], [{}], [{ SID: undefined }], [{ SID: null }]])("start(%j) wants a session with a code", (params) => {
  const { API, link } = ready();
  expect(API.Session.start(params)).toEqual({ result: true, description: "" });
  expect(link.start.mock.calls[0]?.[0]).toMatchObject({ SID: undefined });
});

test("a SID is text or a number, and nothing else is taken for one", () => {
  const { API, link } = ready();
  for (const SID of [...odd, "", "a b", "x".repeat(129)]) {
    expect(API.Session.start({ SID: SID as string }), typeof SID).toEqual({ result: false, description: "SID must be 1 to 128 printable ASCII characters" });
  }
  expect(link.start).not.toHaveBeenCalled();
  API.Session.start({ SID: 4711 });
  expect(link.start.mock.calls[0]?.[0]).toMatchObject({ SID: "4711" });
});

test("a stop without a usable reason is the visitor's own", () => {
  const { API, link, machine } = ready();
  expect(API.Session.stop(null)).toEqual({ result: false, description: "Invalid app state: READY" });
  machine.apply({ what: "starts" });
  for (const params of [undefined, null, { reason: null }, { reason: "" }, ...odd.map((reason) => ({ reason }))]) {
    expect(API.Session.stop(params)).toMatchObject({ result: true });
  }
  API.Session.stop({ reason: 7 });
  API.Session.stop({ reason: "x".repeat(300) });
  const texts = link.stop.mock.calls.map(([text]) => text as unknown);
  expect(texts).toEqual([...Array<undefined>(8).fill(undefined), "7", "x".repeat(200)]);
});

test("a reporting id that is none is refused, whatever it is", () => {
  const { API } = ready();
  for (const params of [undefined, null, {}, { extKey: null }, { extKey: "" }, ...odd.map((extKey) => ({ extKey }))]) {
    expect(API.setReportingId(params)).toBe(false);
  }
  expect(API.setReportingId({ extKey: 42 })).toBe(true);
});

test("a language that is none is English", () => {
  const { API } = ready();
  API.DefaultUI.setLanguage("de");
  expect(API.DefaultUI.getLanguage()).toBe(1031);
  for (const language of [...odd, Symbol("de"), null]) {
    API.DefaultUI.setLanguage(language);
    expect(API.DefaultUI.getLanguage()).toBe(1033);
  }
});
