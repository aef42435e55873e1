import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { closeCodes, readEnding } from "./codes";

const fixture = JSON.parse(readFileSync(new URL("../../tests/fixtures/codes.json", import.meta.url), "utf8")) as {
  close: { number: number; code: string; again: string }[];
};

test("the table is the server's", () => {
  expect(closeCodes).toEqual(fixture.close);
});

test("a reason is read, and only a usable delay is taken from it", () => {
  expect(readEnding(4000, '{"code":"goaway","retry_ms":700}')).toEqual({
    number: 4000,
    code: "goaway",
    again: "yes",
    retryMs: 700,
  });
  expect(readEnding(4001, '{"retry_ms":-1}').retryMs).toBeUndefined();
  expect(readEnding(4001, '{"retry_ms":"soon"}').retryMs).toBeUndefined();
  expect(readEnding(4001, '{"retry_ms":1e12}').retryMs).toBe(300_000);
  expect(readEnding(1001, "Bye!")).toEqual({ number: 1001, code: "connection", again: "yes" });
});

test("an unknown code of 4500 or more is final", () => {
  expect(readEnding(4599, "").again).toBe("no");
  expect(readEnding(4100, "").again).toBe("yes");
});
