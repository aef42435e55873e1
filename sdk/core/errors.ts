import type { LocalErrorCode, ServerErrorCode } from "./codes";

/** Why a call failed. `code` is stable; `message` is for people. */
export class VestibuleError extends Error {
  constructor(
    /** An error code of the server, a close code's name, or a local code. */
    readonly code: ServerErrorCode | LocalErrorCode | (string & {}),
    message?: string,
    /** The field that is at fault, for `badrequest` and `toolarge`. */
    readonly field?: string,
    /** When to try again, in milliseconds, for `ratelimited` and `unready`. */
    readonly retryMs?: number,
    /** Whether it was refused, as `unready`, because the server that several nodes share is away. */
    readonly degraded = false,
  ) {
    super(message ?? code);
    this.name = "VestibuleError";
  }
}

/** The error's code, or `fallback` for anything that is not one of ours. */
export function codeOf(error: unknown, fallback: string): string {
  return error instanceof VestibuleError ? error.code : fallback;
}

/** Whether what was asked is at fault, so that it would be refused again. */
export function isMistake({ code }: VestibuleError): boolean {
  return code === "badrequest" || code === "toolarge";
}

/** Whether the error is an outage, after which the next welcome asks again by itself. */
export function comesAgain({ code }: VestibuleError): boolean {
  return code === "connection" || code === "closed" || code === "timeout";
}

/** Reports a page's own mistake without disturbing the caller, as an uncaught error would be. */
export function reportLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
