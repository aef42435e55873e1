/** Calls of the REST interface, for what is asked seldom. */

import { readRetry } from "../core/codes";
import { VestibuleError } from "../core/errors";

export interface RestHost {
  readonly origin: string;
  readonly group: string;
  readonly token: string | undefined;
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly field?: string;
  readonly retry_ms?: number;
  readonly degraded?: boolean;
}

/** Answers with the body of a success. Rejected with the server's code, or with `connection`. */
export async function callRest<Answer>(host: RestHost, method: string, path: readonly string[], body?: unknown, query = ""): Promise<Answer> {
  const address = `${host.origin}/v1/${["groups", host.group, ...path].map(encodeURIComponent).join("/")}${query && `?${query}`}`;
  const headers: Record<string, string> = { Authorization: `Bearer ${host.token ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "omit" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(address, init);
  } catch {
    throw new VestibuleError("connection", "the server could not be reached");
  }
  const said: unknown = await answer.json().catch(() => undefined);
  if (answer.ok) return said as Answer;
  const { code = "internal", detail, field, retry_ms, degraded } = (said ?? {}) as Problem;
  throw new VestibuleError(code, detail, field, readRetry(retry_ms), degraded);
}
