/** Calls of the REST interface; a failure is a reason, a bare string. */

import { codeOf } from "../../core/errors";
import { isAuthorization } from "./failure";

/** `authorization`, `visitornotpresent`, `connection`, or another of the server's codes. */
export type Reason = string;

export class RestFailure extends Error {
  constructor(readonly reason: Reason) {
    super(reason);
  }
}

export function reasonOf(error: unknown): Reason {
  if (error instanceof RestFailure) return error.reason;
  const code = codeOf(error, "error");
  if (isAuthorization(code)) return "authorization";
  // What an open socket that turned out to be none says.
  return code === "timeout" || code === "closed" ? "connection" : code;
}

/** Answers with the JSON body of a success; throws a `RestFailure` otherwise. */
export async function callRest(address: string, token: string | undefined, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method: body === undefined ? "GET" : "POST", headers, credentials: "omit" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch {
    throw new RestFailure("connection");
  }
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new RestFailure(reasonFor(response.status, (answer as { error?: unknown } | null)?.error));
}

function reasonFor(status: number, error: unknown): Reason {
  if (typeof error === "string" && error) return error;
  if (status === 401 || status === 403) return "authorization";
  return status === 404 ? "visitornotpresent" : "error";
}

/** `path?name=value&…`, without the parts that are undefined. */
export function address(origin: string, path: string, query: Record<string, string | number | undefined>): string {
  const parts = Object.keys(query)
    .filter((name) => query[name] !== undefined)
    .map((name) => `${name}=${encodeURIComponent(query[name] as string | number)}`);
  return `${origin}${path}?${parts.join("&")}`;
}
