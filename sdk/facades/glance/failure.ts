/** Errors as the handlers `onerror` get them. */

export interface ServiceError {
  readonly error: string;
  /** For `connfail`: `authorization`, `connection` or `error`; otherwise a text. */
  readonly detail: string;
}

const authorizationCodes = ["authorization", "expired", "revoked", "origin", "group", "scope"];

/** Whether a code says that the token, or the page, may not do this. */
export function isAuthorization(code: string): boolean {
  return authorizationCodes.includes(code);
}

/** What a connection that could not be made, or kept, is told as. */
export function connectFailure(code: string): ServiceError {
  if (isAuthorization(code)) return { error: "connfail", detail: "authorization" };
  return { error: "connfail", detail: code === "connection" ? "connection" : "error" };
}
