import { expect, test } from "vitest";
import { FakeClock } from "../../core/testing";
import { Attempts } from "./attempts";

function make(random = 0.5): { attempts: Attempts; clock: FakeClock; told: string[] } {
  const clock = new FakeClock();
  const told: string[] = [];
  const attempts = new Attempts(clock, () => random, {
    attempt: () => void told.push("attempt"),
    retries: (reason) => void told.push(`retry ${reason}`),
    givesUp: (reason) => void told.push(`error ${reason}`),
  });
  return { attempts, clock, told };
}

test.each([[0, 0.75], [0.5, 1], [1, 1.25]])("with %d drawn it is tried again after 1, 2, 4, 8 and 16 s, times %d, and then not any more", async (random, factor) => {
  const { attempts, clock, told } = make(random);
  attempts.start();
  const delays: number[] = [];
  for (let failure = 0; failure < 6; failure += 1) {
    attempts.failed("unready");
    // Told once an attempt.
    attempts.failed("unready");
    const [delay] = clock.delays;
    if (delay !== undefined) delays.push(delay);
    await clock.pass(delay ?? 60_000);
  }
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000].map((delay) => delay * factor));
  expect(told).toEqual([...Array(5).fill(["attempt", "retry unready"]).flat(), "attempt", "error unready"]);
});

test("start is idempotent, and after an error it begins anew", async () => {
  const { attempts, clock, told } = make();
  attempts.start();
  attempts.start();
  attempts.failed("group", true);
  await clock.pass(60_000);
  expect(told).toEqual(["attempt", "error group"]);
  attempts.start();
  attempts.succeeded();
  attempts.start();
  await clock.pass(60_000);
  expect(told.slice(2)).toEqual(["attempt"]);
});

test("one that does not answer has failed; a code that is lost later is asked for from the beginning", async () => {
  const { attempts, clock, told } = make();
  attempts.start();
  await clock.pass(15_000);
  expect(told).toEqual(["attempt", "retry timeout"]);
  await clock.pass(1_000);
  attempts.succeeded();
  attempts.failed("toomany");
  expect(clock.delays).toEqual([1_000]);
  expect(told).toEqual(["attempt", "retry timeout", "attempt", "retry toomany"]);
  attempts.stop();
  expect(clock.delays).toEqual([]);
});
