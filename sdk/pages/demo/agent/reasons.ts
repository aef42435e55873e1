/** What the interface's short codes mean for the person at the desk. */

const REASONS: Record<string, string> = {
  authorization: "The token was refused: it is missing, wrong or over.",
  connection: "The server could not be reached.",
  error: "The server answered with an error.",
  nocode: "This code leads to nobody. It may have run out, or a digit is wrong.",
  visitornotpresent: "Nobody is there to get it: the visitor left more than a few seconds ago.",
  toomany: "Too many messages are already waiting for this visitor.",
  ratelimited: "That was too fast. Wait a moment.",
  forbiddenfunction: "This function must not be called from outside.",
  scope: "The token does not allow this.",
  group: "The token belongs to another group.",
  origin: "This page’s origin is not among the group’s agent origins.",
  unready: "The server cannot do this just now: it is starting or stopping, or what its nodes share is away. Try again in a moment.",
  badrequest: "The server did not accept the request.",
};

export function explain(reason: unknown): string {
  const code = codeOf(reason);
  return REASONS[code] ?? `It failed: ${code}`;
}

export function codeOf(reason: unknown): string {
  if (typeof reason === "string") return reason;
  if (reason instanceof Error) return reason.message;
  if (typeof reason === "object" && reason !== null) {
    const { detail, code, error, reason: inner } = reason as Record<string, unknown>;
    const found = [detail, code, error, inner].find((value) => typeof value === "string");
    if (typeof found === "string") return found;
  }
  return JSON.stringify(reason) ?? "unknown";
}
