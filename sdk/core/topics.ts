/**
 * Topics: `import { Topics } from ".../sdk/topics.js"`, for a `Visitor` or an `Agent`.
 *
 * A subscription outlives the sockets under it: on each new one it goes on behind the last message that the handler had.
 */

import type { Connection } from "./connection";
import { reportLater, VestibuleError } from "./errors";
import type { Frame, OkFrame } from "./frames";
import type { Part } from "./part";
import { filterProblem, topicProblem } from "./topic-filter";

export { VestibuleError } from "./errors";
export { filterProblem, matches, topicProblem } from "./topic-filter";

/** What topics need: a `Visitor` or an `Agent`. */
export interface TopicsHost {
  attach(part: Part): Connection;
}

/** A place in the order of the group's kept messages. */
export interface TopicPosition {
  readonly epoch: string;
  readonly offset: number;
  /** While retained values from before may still come: the offset of the last one that the handler had. */
  readonly retained?: number;
}

export interface TopicMessage {
  readonly topic: string;
  readonly data: unknown;
  /** When the server took it, Unix milliseconds. */
  readonly at: number;
  /** With `offset`: where it stands, of messages that are kept. */
  readonly epoch?: string;
  readonly offset?: number;
  /** It was published before the subscription began, and is the topic's retained value. */
  readonly retained?: boolean;
}

export interface PublishOptions {
  /** Makes it the topic's retained value, which later subscribers get at once; data of `null` takes the value away. */
  readonly retain?: boolean;
  /** For how many seconds it is kept at most. */
  readonly expiry?: number;
}

export interface SubscribeOptions {
  /** Leaves out what this connection publishes. */
  readonly noLocal?: boolean;
  /** Of each topic only the newest message that was not sent yet: for states, on slow connections. */
  readonly latest?: boolean;
  /** False: no retained values at the beginning. */
  readonly retained?: boolean;
  /** Begins behind this place: `position` of an earlier subscription, as on the page before. */
  readonly resume?: TopicPosition;
  /** Messages were lost: what they said must be learned in another way. */
  readonly onmissed?: () => void;
  /** The server ended the subscription: it is not allowed any more. */
  readonly onended?: (error: VestibuleError) => void;
}

/** Where a published message stands; empty where it is not kept. */
export interface Published {
  readonly epoch?: string;
  readonly offset?: number;
}

export interface Subscription {
  /** Names it on this page; never used twice. */
  readonly id: number;
  readonly filter: string;
  /** Behind the last message that the handler had: what `resume` takes. */
  readonly position: TopicPosition | undefined;
  /** The handler hears nothing more from now on. Harmless when repeated. */
  unsubscribe(): void;
}

interface Answer extends OkFrame {
  readonly subscription?: number;
  readonly position?: TopicPosition;
  readonly missed?: boolean;
}

type TopicFrame =
  | ({ readonly type: "topicmessage"; readonly subscription: number } & TopicMessage)
  | { readonly type: "missed" | "unsubscribed"; readonly subscription: number };

class Live implements Subscription {
  position: TopicPosition | undefined;
  /** Its number on the present socket. */
  number: number | undefined;
  /** On which socket it was asked for, and the answer. */
  asked = -1;
  asking: Promise<void> | undefined;
  over = false;

  constructor(
    readonly id: number,
    readonly filter: string,
    readonly handler: (message: TopicMessage) => void,
    readonly options: SubscribeOptions,
    private readonly end: (live: Live) => void,
  ) {
    this.position = options.resume;
  }

  unsubscribe(): void {
    this.end(this);
  }
}

/**
 * Publishes and subscribes over the connection of a `Visitor` or an `Agent`, which it does not open by itself. One for each.
 *
 * Promises are rejected with a `VestibuleError`: `badrequest` for what is no topic or filter, `scope` for what is not allowed,
 * `toolarge`, `toomany`, `ratelimited` with `retryMs`, `timeout`, `closed`.
 */
export class Topics implements Part {
  private readonly connection: Connection;
  private readonly subscriptions = new Set<Live>();
  private readonly liveByNumber = new Map<number, Live>();
  private last = 0;
  /** The present socket among all. */
  private socket = 0;

  constructor(host: TopicsHost) {
    this.connection = host.attach(this);
  }

  /**
   * Publishes any JSON. Rejected with `connection` when the socket is lost before the answer: nobody knows then whether it was
   * published, so it is not sent again by itself.
   */
  async publish(topic: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    reject("topic", topicProblem(topic));
    await this.connection.ready();
    const frame = { type: "publish", topic, data: data === undefined ? null : data, ...options };
    const { position } = await this.connection.request<Answer>(frame);
    return position ? { epoch: position.epoch, offset: position.offset } : {};
  }

  /** Subscribes; resolves when the server has acknowledged it. The handler may be called before that: by retained values. */
  async subscribe(filter: string, handler: (message: TopicMessage) => void, options: SubscribeOptions = {}): Promise<Subscription> {
    reject("filter", filterProblem(filter));
    const live = new Live(++this.last, filter, handler, options, (ended) => this.end(ended));
    this.subscriptions.add(live);
    try {
      await this.connection.persist(() => this.begin(live));
    } catch (error) {
      this.subscriptions.delete(live);
      throw error;
    }
    return live;
  }

  /** Takes part in the connection. */
  welcomed(): void {
    this.socket += 1;
    this.liveByNumber.clear();
    for (const live of this.subscriptions) this.again(live);
  }

  receive(frame: Frame): boolean {
    const told = frame as TopicFrame;
    if (told.type !== "topicmessage" && told.type !== "missed" && told.type !== "unsubscribed") return false;
    const live = this.liveByNumber.get(told.subscription);
    // Sent before the server knew that it is over.
    if (!live) return true;
    if (told.type === "topicmessage") this.deliver(live, told);
    else if (told.type === "missed") report(live.options.onmissed);
    else this.ended(live, new VestibuleError("scope", "the subscription is not allowed any more"));
    return true;
  }

  private deliver(live: Live, { type: _, subscription: __, ...message }: TopicMessage & { type: string; subscription: number }): void {
    const { epoch, offset, retained } = message;
    if (epoch !== undefined && offset !== undefined) {
      // Before the handler runs: whatever it does, it gets no message twice. What is news comes behind all retained values.
      if (!retained) live.position = { epoch, offset };
      else if (live.position) live.position = { ...live.position, retained: offset };
    }
    report(() => live.handler(message));
  }

  /** Begins, or goes on, on the present socket; asked for once on each. */
  private begin(live: Live): Promise<void> {
    const { socket } = this;
    if (live.asked === socket && live.asking) return live.asking;
    const { noLocal, latest, retained } = live.options;
    const frame = {
      type: "subscribe",
      filter: live.filter,
      ...(noLocal && { nolocal: true }),
      ...(latest && { latest: true }),
      ...(retained === false && { retained }),
      ...(live.position && { resume: live.position }),
    };
    live.asked = socket;
    live.number = undefined;
    live.asking = this.connection.request<Answer>(frame).then((answer) => {
      if (socket === this.socket) this.begun(live, answer);
    });
    return live.asking;
  }

  private begun(live: Live, { subscription, position, missed }: Answer): void {
    live.number = subscription;
    if (live.over) return this.end(live);
    if (subscription !== undefined) this.liveByNumber.set(subscription, live);
    const { position: before, options } = live;
    // A new row, too, begins with retained values.
    if (position && (position.epoch !== before?.epoch || position.offset !== before.offset)) {
      live.position = { ...position, ...(options.retained !== false && { retained: 0 }) };
    }
    if (missed) report(live.options.onmissed);
  }

  private again(live: Live): void {
    this.begin(live).catch((error: VestibuleError) => {
      if (live.over || live.asked !== this.socket) return;
      // Lost again: the next socket asks again. Nobody waits for an answer that took too long.
      if (error.code === "connection" || error.code === "closed") return;
      if (error.code === "timeout" || error.retryMs !== undefined) {
        live.asking = undefined;
        setTimeout(() => {
          if (!live.over && this.connection.state === "connected" && !live.asking) this.again(live);
        }, error.retryMs ?? 1_000);
      } else this.ended(live, error);
    });
  }

  private ended(live: Live, error: VestibuleError): void {
    live.over = true;
    this.forget(live);
    report(() => live.options.onended?.(error));
  }

  private end(live: Live): void {
    live.over = true;
    this.forget(live);
    const { number } = live;
    live.number = undefined;
    if (number === undefined || live.asked !== this.socket) return;
    // A socket that is lost ends it too.
    this.connection.request({ type: "unsubscribe", subscription: number }).catch(() => {});
  }

  private forget(live: Live): void {
    this.subscriptions.delete(live);
    if (live.number !== undefined && this.liveByNumber.get(live.number) === live) this.liveByNumber.delete(live.number);
  }
}

function reject(field: string, problem: string | undefined): void {
  if (problem) throw new VestibuleError("badrequest", problem, field);
}

/** Runs a handler of the page, whose mistakes are its own. */
function report(handler: (() => void) | undefined): void {
  try {
    handler?.();
  } catch (error) {
    reportLater(error);
  }
}
