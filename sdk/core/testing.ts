/** For tests: a clock that stands still, and a scriptable server at the other end of each socket. */

import { Window as FakeWindow } from "happy-dom";
import type { Clock, Environment, SocketLike } from "./environment";
import { Identity, type IdentityStores } from "./identity";
import { memoryStore } from "./storage";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

export class FakeClock implements Clock {
  private time = 1_700_000_000_000;
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.time + delayMs, run };
    this.timers.add(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.timers.delete(timer as Timer);
  }

  /** Delays of all timers that are set, in milliseconds. */
  get delays(): number[] {
    return [...this.timers].map((timer) => timer.at - this.time).sort((a, b) => a - b);
  }

  /** Passes `ms`, running what becomes due in order. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due);
      this.time = Math.max(this.time, due.at);
      due.run();
      await settle();
    }
    this.time = end;
  }

  /** The computer sleeps: time passes and no timer runs. */
  sleep(ms: number): void {
    this.time += ms;
  }
}

type Sent = { type: string; request?: number } & Record<string, any>;

export class FakeSocket implements SocketLike {
  readyState = 0;
  readonly sent: Sent[] = [];
  closedWith: number | undefined;
  closedByClient = false;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(number?: number): void {
    this.closedByClient = true;
    this.closedWith = number;
    this.readyState = 3;
  }

  /** The handshake succeeds. */
  open(): this {
    this.readyState = 1;
    this.onopen?.(undefined as never);
    return this;
  }

  /** The server sends a frame. */
  async say(frame: object): Promise<void> {
    this.onmessage?.({ data: JSON.stringify(frame) });
    await settle();
  }

  /** The server answers the last frame of `type` with `ok`. */
  async ok(type: string, fields: object = {}): Promise<void> {
    await this.say({ type: "ok", request: this.last(type).request, ...fields });
  }

  async refuse(type: string, code: string, fields: object = {}): Promise<void> {
    await this.say({ type: "error", request: this.last(type).request, code, ...fields });
  }

  /** The socket ends from outside. */
  async drop(code = 1006, reason: object | string = ""): Promise<void> {
    this.readyState = 3;
    this.onclose?.({ code, reason: typeof reason === "string" ? reason : JSON.stringify(reason) });
    await settle();
  }

  all(type: string): Sent[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  last(type: string): Sent {
    const frame = this.all(type).pop();
    if (!frame) throw new Error(`no ${type} was sent`);
    return frame;
  }
}

export class FakeServer {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  random = 0.5;

  readonly environment: Environment = {
    clock: this.clock,
    random: () => this.random,
    open: (url) => {
      const socket = new FakeSocket(url);
      this.sockets.push(socket);
      return socket;
    },
  };

  get socket(): FakeSocket {
    const socket = this.sockets[this.sockets.length - 1];
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  /** Takes the newest socket and its hello. */
  async welcome(fields: object = {}): Promise<FakeSocket> {
    await settle();
    const socket = this.socket.open();
    const hello = socket.last("hello");
    const visitor = { visitorid: hello.visitorid, epoch: 1, focus: true, terms: null };
    const agent = { group: "12345", subject: "sam", scope: "read", expires: this.clock.now() + 3_600_000 };
    await socket.say({ type: "welcome", socket: "s1", now: this.clock.now(), ...(hello.token ? agent : visitor), ...fields });
    return socket;
  }
}

/** One page of a tab; `reload` and `goBack` play what a browser does. */
export class FakePage {
  readonly window: Window;
  readonly identity: Identity;

  constructor(
    readonly stores: IdentityStores = { lasting: memoryStore(), tab: memoryStore() },
    url = "http://shop.test/",
  ) {
    this.window = new FakeWindow({ url }) as unknown as Window;
    this.identity = new Identity(this.window, stores);
  }

  fire(event: string, fields: object = {}): void {
    const target = ["visibilitychange", "prerenderingchange", "resume", "freeze"].includes(event)
      ? this.window.document
      : this.window;
    const EventClass = (this.window as unknown as { Event: typeof Event }).Event;
    target.dispatchEvent(Object.assign(new EventClass(event), fields));
  }

  /** Leaves this page and loads the next one in the same tab. */
  next(): FakePage {
    this.fire("pagehide", { persisted: false });
    return new FakePage(this.stores);
  }

  /** What a browser does on "duplicate tab": a copy of the tab's storage, the lasting one shared. */
  duplicate(copy: (tab: IdentityStores["tab"]) => IdentityStores["tab"]): FakePage {
    return new FakePage({ lasting: this.stores.lasting, tab: copy(this.stores.tab) });
  }

  show(visible: boolean): void {
    Object.defineProperty(this.window.document, "visibilityState", {
      configurable: true,
      value: visible ? "visible" : "hidden",
    });
    this.fire("visibilitychange");
  }
}
