/** Requests that wait for their answer. */

import type { Clock, TimerHandle } from "./environment";
import { VestibuleError } from "./errors";
import type { ClientFrame, ErrorFrame, Frame, OkFrame } from "./frames";

export interface RequestOptions {
  /** Send it again on the next socket when this one goes first; for requests that may be repeated. */
  readonly repeat?: boolean;
  /** How long to wait for the answer, in milliseconds; 10,000 by default. */
  readonly limitMs?: number;
}

interface Waiting {
  readonly frame: ClientFrame;
  readonly repeat: boolean;
  readonly timer: TimerHandle;
  /** Whether it went out on the present socket. */
  sent: boolean;
  resolve(frame: Frame): void;
  reject(error: VestibuleError): void;
}

const LIMIT_MS = 10_000;

export class Requests {
  /** Whether the last word on it, an answer's or one of its own, was that the server that the nodes share is away. */
  degraded = false;
  private last = 0;
  private readonly waitingByRequest = new Map<number, Waiting>();

  constructor(
    private readonly clock: Clock,
    private readonly send: (frame: ClientFrame) => boolean,
  ) {}

  /** Sends now when `connected`; else on the next socket if it may be repeated, or not at all. */
  add<Answer extends Frame>(frame: ClientFrame, connected: boolean, options: RequestOptions = {}): Promise<Answer> {
    const { repeat = false, limitMs = LIMIT_MS } = options;
    if (!connected && !repeat) return Promise.reject(new VestibuleError("connection", "not connected"));
    const request = ++this.last;
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(limitMs, () => {
        this.fail(request, new VestibuleError("timeout", `no answer to ${frame.type} in ${limitMs} ms`));
      });
      const numbered = { ...frame, request };
      this.waitingByRequest.set(request, {
        frame: numbered,
        repeat,
        timer,
        sent: connected && this.send(numbered),
        resolve: resolve as (frame: Frame) => void,
        reject,
      });
      if (connected && !this.waitingByRequest.get(request)?.sent) this.dropped(request);
    });
  }

  answer(frame: OkFrame | ErrorFrame): void {
    const request = frame.request as number;
    if (frame.type === "error") {
      // What is refused for another reason says nothing of it.
      if (frame.degraded) this.degraded = true;
      this.fail(request, new VestibuleError(frame.code, frame.msg, frame.field, frame.retry_ms, frame.degraded));
    } else {
      this.degraded = frame.degraded === true;
      this.take(request)?.resolve(frame);
    }
  }

  /** A new socket is open. */
  repeat(): void {
    for (const waiting of this.waitingByRequest.values()) waiting.sent ||= this.send(waiting.frame);
  }

  /** The socket went: fails what may not be repeated (of one request, or of all). */
  dropped(only?: number): void {
    for (const [request, waiting] of [...this.waitingByRequest]) {
      if (only !== undefined && only !== request) continue;
      waiting.sent = false;
      if (!waiting.repeat) this.fail(request, new VestibuleError("connection", "the connection was lost"));
    }
  }

  failAll(code: string): void {
    for (const request of [...this.waitingByRequest.keys()]) this.fail(request, new VestibuleError(code));
  }

  private fail(request: number, error: VestibuleError): void {
    this.take(request)?.reject(error);
  }

  private take(request: number): Waiting | undefined {
    const waiting = this.waitingByRequest.get(request);
    if (waiting) this.clock.cancel(waiting.timer);
    this.waitingByRequest.delete(request);
    return waiting;
  }
}
