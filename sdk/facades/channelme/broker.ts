/**
 * The page's message broker (`channelme.md` 5 to 7). Topics under `~/` stay on the page; those under `~pagesession/` live in
 * the frame, all others on the server, which the frame speaks with.
 */

import { randomHex } from "../../core/environment";
import { reportLater } from "../../core/errors";
import { filterProblem, matches, topicProblem } from "../../core/topic-filter";

export type Handler = (topic: string, message: unknown, subscription: string) => void;

/** Where topics live that are not the page's. */
export interface Beyond {
  subscribe(filter: string): void;
  unsubscribe(filter: string): void;
  publish(topic: string, message: unknown): void;
}

export interface BrokerOptions {
  /** Whether late subscribers hear what is retained. */
  readonly replays: boolean;
  /** Tells the developer of a mistake. */
  warn(message: string): void;
  /** Runs in a task of its own. */
  later(run: () => void): void;
}

interface Subscription {
  readonly id: string;
  readonly filter: string;
  readonly handler: Handler;
  acknowledge: (() => void) | undefined;
  /** Where the order of what is retained stood when it came. */
  readonly since: number;
}

interface Retained {
  readonly message: unknown;
  /** Whoever came later is to hear it. */
  readonly order: number;
}

/** A filter of which the frame knows: who waits for its word on it is still to be acknowledged. */
type Standing = "asked" | "inforce";

const PAGE = "~";
const FRAME = "~pagesession";
/** What the service says has happened: nobody else can. */
const RESERVED = /^~pagesession\/(cobrowsing|proactive)(\/|$)/;

const firstLevel = (text: string): string => text.split("/", 1)[0] as string;

export class Broker {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly standings = new Map<string, Standing>();
  /** In the order in which they were last said. */
  private readonly retained = new Map<string, Retained>();
  private order = 0;

  constructor(
    private readonly beyond: Beyond,
    private readonly options: BrokerOptions,
  ) {}

  /** Gives the subscription's id, or nothing when the filter is invalid. Calls nothing before it returns. */
  subscribe(filter: unknown, handler: unknown, acknowledge?: unknown): string | undefined {
    const problem = typeof filter !== "string" ? "must be text" : (filterProblem(filter) ?? placeProblem(filter));
    if (problem) return this.refuse(`cannot subscribe to ${String(filter)}: it ${problem}`);
    if (typeof handler !== "function") return this.refuse(`cannot subscribe to ${String(filter)} without a function`);
    const subscription: Subscription = {
      id: `${Date.now()}-${randomHex(10)}`,
      filter: filter as string,
      handler: handler as Handler,
      acknowledge: typeof acknowledge === "function" ? () => (acknowledge as () => void)() : undefined,
      since: this.order,
    };
    this.subscriptions.set(subscription.id, subscription);
    if (leadsBeyond(subscription.filter)) this.subscribeBeyond(subscription);
    else this.acknowledgeLater(subscription);
    if (this.options.replays && leadsToPage(subscription.filter)) this.options.later(() => this.replay(subscription));
    return subscription.id;
  }

  /** An id that is not known is passed over. */
  unsubscribe(id: unknown): void {
    const subscription = this.subscriptions.get(id as string);
    if (!subscription) return;
    this.subscriptions.delete(subscription.id);
    const { filter } = subscription;
    if (!this.standings.has(filter) || this.of(filter).length) return;
    this.standings.delete(filter);
    this.beyond.unsubscribe(filter);
  }

  /** Within the page at once, elsewhere soon. */
  publish(topic: unknown, message: unknown): void {
    const problem = typeof topic !== "string" ? "must be text" : (topicProblem(topic) ?? placeProblem(topic));
    if (problem) return void this.refuse(`cannot publish to ${String(topic)}: it ${problem}`);
    const name = topic as string;
    if (RESERVED.test(name)) return void this.refuse(`cannot publish to ${name}: only the service says so`);
    if (firstLevel(name) === PAGE) this.tell(name, message);
    else this.beyond.publish(name, message);
  }

  /** The script itself says something to the page. */
  announce(topic: string, message: unknown, isRetained: boolean): void {
    if (isRetained) this.keep(topic, message, (this.order += 1));
    this.tell(topic, message);
  }

  /** Later subscribers hear it, and nobody now; who waits to hear the value before it hears this one. */
  retain(topic: string, message: unknown): void {
    this.keep(topic, message, this.retained.get(topic)?.order ?? (this.order += 1));
  }

  private keep(topic: string, message: unknown, order: number): void {
    this.retained.delete(topic);
    this.retained.set(topic, { message, order });
  }

  forget(topic: string): void {
    this.retained.delete(topic);
  }

  /** The filters that somebody subscribed to. */
  get filters(): Set<string> {
    return new Set([...this.subscriptions.values()].map(({ filter }) => filter));
  }

  /** A frame is there, or another one: what is to be in force there. */
  connected(): void {
    for (const filter of this.standings.keys()) {
      this.standings.set(filter, "asked");
      this.beyond.subscribe(filter);
    }
  }

  /** The frame's word on a filter. */
  settled(filter: string, problem?: string): void {
    if (!this.standings.has(filter)) return;
    this.standings.set(filter, "inforce");
    if (problem !== undefined) this.refuse(`cannot subscribe to ${filter}: ${problem}`);
    for (const subscription of this.of(filter)) {
      // What is refused elsewhere is in force here, if it leads here too.
      if (problem === undefined || leadsToPage(filter)) this.acknowledge(subscription);
      else this.subscriptions.delete(subscription.id);
    }
    if (!this.of(filter).length) this.standings.delete(filter);
  }

  /** Something that a filter of ours chose elsewhere. */
  arrived(filter: string, topic: string, message: unknown): void {
    // Nobody but this page speaks here.
    if (firstLevel(topic) === PAGE) return;
    this.deliver(this.of(filter), topic, message);
  }

  private subscribeBeyond(subscription: Subscription): void {
    const { filter } = subscription;
    const standing = this.standings.get(filter);
    if (standing === "inforce") return this.acknowledgeLater(subscription);
    if (standing === undefined) {
      this.standings.set(filter, "asked");
      this.beyond.subscribe(filter);
    }
  }

  private acknowledgeLater(subscription: Subscription): void {
    this.options.later(() => this.acknowledge(subscription));
  }

  /** Once, and not to whom it has left. */
  private acknowledge(subscription: Subscription): void {
    const { acknowledge } = subscription;
    subscription.acknowledge = undefined;
    if (acknowledge && this.subscriptions.has(subscription.id)) guarded(acknowledge);
  }

  private replay(subscription: Subscription): void {
    for (const [topic, { message, order }] of [...this.retained]) {
      // What was said since it came, it has heard.
      if (order <= subscription.since && matches(subscription.filter, topic)) this.deliver([subscription], topic, message);
    }
  }

  private tell(topic: string, message: unknown): void {
    const chosen = [...this.subscriptions.values()].filter(({ filter }) => matches(filter, topic));
    this.deliver(chosen, topic, message);
  }

  private deliver(subscriptions: readonly Subscription[], topic: string, message: unknown): void {
    for (const { id, handler } of subscriptions) {
      if (this.subscriptions.has(id)) guarded(() => handler(topic, message, id));
    }
  }

  private of(filter: string): Subscription[] {
    return [...this.subscriptions.values()].filter((subscription) => subscription.filter === filter);
  }

  private refuse(message: string): undefined {
    this.options.warn(message);
  }
}

/** Filters that begin with a wildcard lead to the page's topics and beyond. */
const leadsToPage = (filter: string): boolean => [PAGE, "+", "#"].includes(firstLevel(filter));
const leadsBeyond = (filter: string): boolean => firstLevel(filter) !== PAGE;

/** Of what begins with `~` there is nothing but this. */
function placeProblem(text: string): string | undefined {
  const first = firstLevel(text);
  return first.startsWith("~") && first !== PAGE && first !== FRAME ? "must begin with ~/ or ~pagesession/, or not with ~" : undefined;
}

/** What fails in one function is nobody else's matter. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    reportLater(error);
  }
}
