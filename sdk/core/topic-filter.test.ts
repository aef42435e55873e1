import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filterProblem, matches, topicProblem } from "./topic-filter";

type Row = [filter: string, topic: string, chosen: boolean];
interface Fixture {
  matches: Row[];
  pages: Row[];
  filters: { valid: string[]; invalid: string[] };
  topics: { valid: string[]; invalid: string[] };
}

/** The server's tests read the same file. */
const file = new URL("../../tests/fixtures/topic-filters.json", import.meta.url);
const fixture = JSON.parse(readFileSync(file, "utf8")) as Fixture;

describe("topic filters", () => {
  test.each([...fixture.matches, ...fixture.pages])("%j and %j: %j", (filter, topic, chosen) => {
    expect(filterProblem(filter)).toBeUndefined();
    expect(topicProblem(topic)).toBeUndefined();
    expect(matches(filter, topic)).toBe(chosen);
  });

  test("what is no filter or topic is told from what is one", () => {
    for (const text of fixture.filters.valid) expect(filterProblem(text), text).toBeUndefined();
    for (const text of fixture.topics.valid) expect(topicProblem(text), text).toBeUndefined();
    for (const text of fixture.filters.invalid) expect(filterProblem(text), text).toBeTypeOf("string");
    for (const text of fixture.topics.invalid) expect(topicProblem(text), text).toBeTypeOf("string");
  });

  test("lengths are bounded as on the server", () => {
    expect(topicProblem("é".repeat(512))).toBeUndefined();
    expect(topicProblem("é".repeat(512) + "a")).toContain("1024 bytes");
    expect(filterProblem("/".repeat(31))).toBeUndefined();
    expect(filterProblem("/".repeat(32))).toContain("32 levels");
  });
});
