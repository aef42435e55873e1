/**
 * The catalogue of close codes and error codes: number, name, and what a client does next.
 * The server has the same table; a test ties both to `tests/fixtures/codes.json`.
 */

/** Whether to connect again after a close: never, yes, or only with a fresh token. */
export type Again = "no" | "yes" | "renew";

export interface CloseCode {
  readonly number: number;
  readonly code: string;
  readonly again: Again;
}

/** Without a word of the table: what is below 4500 is tried again. */
const usual = (number: number): Again => (number < 4500 ? "yes" : "no");
const row = (number: number, code: string, again = usual(number)): CloseCode => ({ number, code, again });

export const closeCodes: readonly CloseCode[] = [
  row(1000, "normal", "no"),
  row(1002, "protocol", "no"),
  row(1007, "utf8", "no"),
  row(1009, "toolarge", "no"),
  row(1011, "internal"),
  row(4000, "goaway"),
  row(4001, "unready"),
  row(4002, "slow"),
  row(4003, "pingtimeout"),
  row(4004, "ratelimited"),
  row(4005, "hellotimeout"),
  // With a new tab id: another page has taken this one.
  row(4006, "superseded"),
  row(4007, "toomany"),
  row(4500, "origin"),
  row(4501, "group"),
  row(4502, "authorization"),
  row(4503, "expired", "renew"),
  row(4504, "badrequest"),
  row(4505, "uniqueexpired"),
  row(4506, "signature"),
  row(4507, "revoked", "renew"),
  row(4508, "sessionover"),
];

/** Error codes that the server answers with, on sockets and over REST. */
export type ServerErrorCode =
  | "authorization"
  | "scope"
  | "origin"
  | "group"
  | "signature"
  | "badrequest"
  | "forbiddenfunction"
  | "visitornotpresent"
  | "notfound"
  | "taken"
  | "unavailable"
  | "method"
  | "toolarge"
  | "toomany"
  | "ratelimited"
  | "unready"
  | "internal";

/** What the page itself finds out: no network, no answer in time, or a handle that was ended. */
export type LocalErrorCode = "connection" | "timeout" | "closed";

/** How a socket ended. */
export interface Ending {
  /** The close code's number; 1006 when the network dropped. */
  readonly number: number;
  /** Name from the table; else `closed` for 4500 and more, `connection` for any other number. */
  readonly code: string;
  readonly again: Again;
  /** How long the server wants the client to stay away, in milliseconds. */
  readonly retryMs?: number;
}

// A server's wish is obeyed within reason: a wrong number must not silence a page for a day.
const LONGEST_RETRY_MS = 300_000;

/** A usable number of milliseconds from `retry_ms`, else nothing. */
export function readRetry(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? Math.min(value, LONGEST_RETRY_MS) : undefined;
}

/** Reads a close event; a number that is not in the table is retried unless it is 4500 or more. */
export function readEnding(number: number, reason: string): Ending {
  const known = closeCodes.find((entry) => entry.number === number) ?? row(number, number < 4500 ? "connection" : "closed");
  let retryMs: number | undefined;
  try {
    retryMs = readRetry((JSON.parse(reason) as { retry_ms?: unknown }).retry_ms);
  } catch {
    // A proxy's reason is free text.
  }
  return { ...known, ...(retryMs !== undefined && { retryMs }) };
}
