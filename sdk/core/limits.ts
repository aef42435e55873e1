/** The server's limits, checked before sending so that a page learns of its mistake at once. */

import { VestibuleError } from "./errors";

/** A flat record of presence data. */
export type PresenceData = Record<string, string | number>;

export const limits = {
  keys: 64,
  keyLength: 64,
  valueBytes: 1024,
  recordBytes: 16 * 1024,
  frameBytes: 64 * 1024,
  seenIds: 64,
} as const;

/** Functions that an agent may call are under this name; the protocol fixes it. */
export const FUNCTION_NAMESPACE = "GLANCE";

const encoder = new TextEncoder();

/** Length in UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** Throws `badrequest` unless `visitorid` is 1 to 100 of letters, digits, `.`, `_`, `~`, `-`. */
export function checkVisitorId(visitorid: string): void {
  if (typeof visitorid !== "string" || !/^[A-Za-z0-9._~-]{1,100}$/.test(visitorid)) {
    throw new VestibuleError("badrequest", "a visitor id is 1 to 100 of letters, digits and ._~-", "visitorid");
  }
}

/** Throws `badrequest` for a value that is neither text nor a finite number, `toolarge` above a limit. */
export function checkData(data: PresenceData): void {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new VestibuleError("badrequest", "presence data is a flat object", "data");
  }
  const names = Object.keys(data);
  for (const name of names) {
    const value: unknown = data[name];
    const field = `data.${name}`;
    if (typeof value !== "string" && !(typeof value === "number" && Number.isFinite(value))) {
      throw new VestibuleError("badrequest", "a value is text or a finite number", field);
    }
    if (!name || Array.from(name).length > limits.keyLength) {
      throw new VestibuleError("toolarge", `a key has 1 to ${limits.keyLength} characters`, field);
    }
    if (byteLength(String(value)) > limits.valueBytes) {
      throw new VestibuleError("toolarge", `a value has at most ${limits.valueBytes} bytes`, field);
    }
  }
  if (names.length > limits.keys || byteLength(JSON.stringify(data)) > limits.recordBytes) {
    const most = `at most ${limits.keys} keys and ${limits.recordBytes} bytes of JSON in all`;
    throw new VestibuleError("toolarge", most, "data");
  }
}

/** Throws `forbiddenfunction` unless `name` is one that an agent may call. */
export function checkFunctionName(name: string): void {
  const parts = String(name).split(".");
  const forbidden =
    parts.length < 2 ||
    parts[0] !== FUNCTION_NAMESPACE ||
    parts[1] === "Authorization" ||
    parts.some((part) => !part || part === "__proto__" || part === "constructor" || part === "prototype");
  if (forbidden) throw new VestibuleError("forbiddenfunction", `${name} may not be called`, "func");
}
