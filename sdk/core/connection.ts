/**
 * One socket that stays: it connects, says hello, asks and answers, and comes back after a drop.
 *
 *   idle ── start ──▶ connecting ─▶ greeting ─▶ connected
 *    ▲                    ▲  └──────────┴───── drop ─┐
 *    └── stop (any)       └───────── waiting ◀───────┤
 *                                                    └─▶ closed (the server wants no retry)
 *   suspend (any but idle, closed) ─▶ suspended ─▶ connecting
 */

import { defaultBackoff, retryDelay } from "./backoff";
import { readEnding, readRetry, type Ending } from "./codes";
import type { ConnectionOptions, ConnectionState } from "./connection-options";
import type { SocketLike, TimerHandle } from "./environment";
import { codeOf, VestibuleError } from "./errors";
import { parseFrame, type ClientFrame, type ControlFrame, type ErrorFrame, type Frame } from "./frames";
import { byteLength, limits } from "./limits";
import type { Part } from "./part";
import { Readiness } from "./readiness";
import { Requests, type RequestOptions } from "./requests";

export type { ConnectionState } from "./connection-options";

const OPEN = 1;
const REQUEST_BYTES = 32;
// Browsers give a handshake minutes; a visitor has a signal window of seconds.
const WELCOME_LIMIT_MS = 15_000;
// Longer than a server keeps what it cannot do now before it says so.
const TEST_LIMIT_MS = 15_000;

export class Connection {
  private current: ConnectionState = "idle";
  private socket: SocketLike | undefined;
  private timer: TimerHandle;
  private failures = 0;
  private lostAt: number | undefined;
  private renew = false;
  private welcomedAt: number | undefined;
  private orderedMs: number | undefined;
  private notBefore = 0;
  private readonly readiness = new Readiness();
  /** Those that wait for an answer; what the server said of an outage is noted there. */
  readonly requests: Requests;
  private readonly parts: Part[] = [];

  constructor(private readonly options: ConnectionOptions) {
    this.requests = new Requests(options.environment.clock, (frame) => this.send(frame));
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** Whether the last answer said that the server that several nodes share is away: what is told may be old. */
  get degraded(): boolean {
    return this.requests.degraded;
  }

  /** A part takes part in this connection, and in each later one. */
  attach(part: Part): void {
    this.parts.push(part);
    // Once the part has been given the connection.
    if (this.current === "connected") queueMicrotask(() => part.welcomed());
  }

  /** Wants a connection from now on. */
  start(): void {
    if (this.current !== "idle" && this.current !== "closed") return;
    this.failures = 0;
    this.lostAt = undefined;
    this.notBefore = 0;
    this.renew = false;
    if (this.options.active()) this.attempt();
    else this.enter("suspended");
  }

  /** Ends the connection; `farewell` is sent first when there is someone to hear it. */
  stop(farewell?: ClientFrame): void {
    if (farewell) this.send(farewell);
    this.discard(1000);
    this.requests.failAll("closed");
    if (this.current !== "idle") this.enter("idle");
  }

  /** The page is being left: closes the socket; `resume` opens a new one. */
  suspend(): void {
    if (this.current === "idle" || this.current === "closed" || this.current === "suspended") return;
    this.discard(1000);
    this.requests.dropped();
    this.enter("suspended");
  }

  resume(): void {
    if (this.current !== "suspended") return;
    this.failures = 0;
    this.lostAt = undefined;
    this.attempt();
  }

  /**
   * Something woke the page or the network: ends the wait for the next attempt, unless the server
   * ordered it, or tests the open socket by `frame`.
   */
  wake(frame?: ClientFrame): void {
    if (this.current === "waiting") {
      const remaining = this.notBefore - this.options.environment.clock.now();
      if (remaining <= 0) this.attempt();
      else this.wait(remaining);
    } else if (frame) {
      this.test(frame).catch(() => {});
    }
  }

  /**
   * Sends a request that every server answers. A socket on which nothing answers it in 15 s is given
   * up for another one. Rejected as `request` is.
   */
  async test(frame: ClientFrame): Promise<void> {
    const tested = this.socket;
    try {
      await this.request(frame, { limitMs: TEST_LIMIT_MS });
    } catch (error) {
      const silent = codeOf(error, "") === "timeout";
      if (silent && tested === this.socket && this.current === "connected") this.ended(readEnding(1006, ""));
      throw error;
    }
  }

  /** Sends when connected; false when not. The caller decides whether that matters. */
  send(frame: ClientFrame): boolean {
    if (this.current !== "connected" || this.socket?.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Resolves when connected, however long that takes; rejected when the connection has ended or ends first. */
  ready(): Promise<void> {
    if (this.current === "connected") return Promise.resolve();
    if (this.current === "idle" || this.current === "closed") return Promise.reject(new VestibuleError("closed"));
    return this.readiness.wait();
  }

  /**
   * Runs `step` on a connection, and again on the next one as long as connections are lost in it.
   * Rejected as `ready` and `step` are; starts nothing.
   */
  async persist<Result>(step: () => Promise<Result>): Promise<Result> {
    for (;;) {
      // What can be sent now is sent now, in the order in which it was asked.
      if (this.current !== "connected") await this.ready();
      try {
        return await step();
      } catch (error) {
        if (codeOf(error, "") !== "connection") throw error;
        // A socket that is closing takes nothing more, and its end is still to come.
        if (this.current === "connected") await this.readiness.wait();
      }
    }
  }

  /** Runs `step` as `persist` does, and again when the server says when it can be done, or says nothing. */
  async insist<Result>(step: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await this.persist(step);
      } catch (error) {
        const { code, retryMs } = error as VestibuleError;
        if (retryMs) await new Promise<void>((done) => this.options.environment.clock.after(retryMs, done));
        else if (code !== "timeout") throw error;
      }
    }
  }

  /**
   * Sends a request. The promise is rejected with the server's error, with `toolarge` for a frame
   * that would cost the whole connection, with `timeout` after 10 s,
   * with `connection` when the socket goes first (unless `repeat` sends it again on the next one),
   * and with `closed` when the connection ends for good.
   */
  request<Answer extends Frame>(frame: ClientFrame, options?: RequestOptions): Promise<Answer> {
    if (byteLength(JSON.stringify(frame)) > limits.frameBytes - REQUEST_BYTES) {
      return Promise.reject(new VestibuleError("toolarge", `a frame has at most ${limits.frameBytes} bytes`));
    }
    return this.requests.add<Answer>(frame, this.current === "connected", options);
  }

  private attempt(): void {
    this.discard();
    this.enter("connecting");
    const { prepare } = this.options;
    if (!prepare) return this.open();
    const timer = this.limitAttempt();
    // `timer` stands for this attempt: a later one, or `stop`, has replaced it.
    prepare.call(this.options, this.renew).then(
      () => {
        if (this.timer === timer) this.open();
      },
      (error: unknown) => {
        if (this.timer !== timer) return;
        const refused = error instanceof VestibuleError && error.code === "authorization";
        this.ended(readEnding(refused ? 4502 : 1006, ""));
      },
    );
  }

  private limitAttempt(): TimerHandle {
    const { clock } = this.options.environment;
    clock.cancel(this.timer);
    return (this.timer = clock.after(WELCOME_LIMIT_MS, () => this.ended(readEnding(1006, ""))));
  }

  private open(): void {
    this.limitAttempt();
    let socket: SocketLike;
    try {
      socket = this.options.environment.open(this.options.url());
    } catch {
      // A policy of the page, or a wrong address, makes the constructor throw.
      return this.ended(readEnding(1006, ""));
    }
    this.socket = socket;
    // A discarded socket may still speak; only the present one is heard.
    const heard = (run: () => void): void => {
      if (this.socket === socket) run();
    };
    socket.onopen = () =>
      heard(() => {
        socket.send(JSON.stringify(this.options.hello()));
        this.enter("greeting");
      });
    socket.onmessage = (event) =>
      heard(() => {
        const frame = parseFrame(event.data);
        if (frame) this.receive(frame as ControlFrame);
      });
    socket.onerror = () => {};
    socket.onclose = (event) => heard(() => this.ended(readEnding(event.code, event.reason)));
  }

  private receive(frame: ControlFrame): void {
    if (frame.type === "welcome") {
      const { clock } = this.options.environment;
      clock.cancel(this.timer);
      this.welcomedAt = clock.now();
      this.renew = false;
      // A node without the others takes no sockets.
      this.requests.degraded = false;
      this.enter("connected");
      this.readiness.resolve();
      this.options.onWelcome(frame);
      for (const part of this.parts) part.welcomed(frame);
      this.requests.repeat();
    } else if (frame.type === "goaway") {
      this.orderedMs = readRetry(frame.retry_ms);
    } else if (frame.type === "ok" || (frame.type === "error" && (frame as ErrorFrame).request)) {
      this.requests.answer(frame);
    } else if (!this.parts.some((part) => part.receive(frame))) {
      this.options.onFrame(frame);
    }
  }

  /** The socket or the attempt is over: decides whether, and when, there is another. */
  private ended(ending: Ending): void {
    const { environment, renewable } = this.options;
    const backoff = this.options.backoff ?? defaultBackoff;
    const now = environment.clock.now();
    const uptime = this.welcomedAt === undefined ? -1 : now - this.welcomedAt;
    const orderedMs = ending.retryMs ?? this.orderedMs;
    this.discard();
    if (ending.again === "no" || (ending.again === "renew" && !renewable)) {
      this.requests.failAll(ending.code);
      return this.enter("closed", ending);
    }
    this.requests.dropped();
    this.renew ||= ending.again === "renew";
    const wasHealthy = uptime >= backoff.healthyMs;
    this.failures = wasHealthy ? 0 : this.failures + 1;
    if (wasHealthy || this.lostAt === undefined) this.lostAt = now;
    this.notBefore = orderedMs === undefined ? 0 : now + orderedMs;
    const outage = { failures: this.failures, ageMs: now - this.lostAt, orderedMs };
    this.wait(retryDelay(backoff, outage, environment.random()), ending);
  }

  private wait(delayMs: number, ending?: Ending): void {
    const { clock } = this.options.environment;
    clock.cancel(this.timer);
    this.timer = clock.after(delayMs, () => this.attempt());
    if (this.current !== "waiting") this.enter("waiting", ending);
  }

  private discard(number?: number): void {
    this.options.environment.clock.cancel(this.timer);
    this.timer = undefined;
    this.welcomedAt = undefined;
    this.orderedMs = undefined;
    const socket = this.socket;
    this.socket = undefined;
    try {
      socket?.close(number);
    } catch {
      // It was closed already.
    }
  }

  private enter(state: ConnectionState, ending?: Ending): void {
    this.current = state;
    this.options.onState(state, ending);
    if (state === "idle" || state === "closed") this.readiness.reject(new VestibuleError(ending?.code ?? "closed"));
  }
}
