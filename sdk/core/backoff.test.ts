import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { defaultBackoff, retryDelay } from "./backoff";

interface Row {
  readonly failures: number;
  readonly ageMs: number;
  readonly orderedMs?: number;
  readonly random: number;
  readonly delayMs: number;
}

// The load generator's visitors keep to the same table.
const rows = JSON.parse(readFileSync(new URL("../../tests/fixtures/backoff.json", import.meta.url), "utf8")) as Row[];

describe("the delay until the next attempt", () => {
  test.each(rows)("after $failures failures, $ageMs ms into the outage, ordered $orderedMs", (row) => {
    expect(retryDelay(defaultBackoff, row, row.random)).toBeCloseTo(row.delayMs);
  });

  test("all are back soon after a restart that took up to 10 s", () => {
    for (let ageMs = 0; ageMs <= 10_000; ageMs += 100) {
      const wait = retryDelay(defaultBackoff, { failures: 20, ageMs }, 1);
      expect(wait).toBeLessThanOrEqual(2_000);
    }
  });
});
