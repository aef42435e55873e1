/** The topics that live in the frame, `~pagesession/…`, and the page's way to the server's. */

import { matches } from "../../../core/topic-filter";
import type { ToPage } from "../messages";

/** The server's topics, as the SDK has them. */
export interface ServerTopics {
  subscribe(filter: string, handler: (message: { readonly topic: string; readonly data: unknown }) => void): Promise<{ unsubscribe(): unknown }>;
  publish(topic: string, data: unknown): Promise<unknown>;
}

type Act = (topic: string, data: unknown) => void;

const isOfFrame = (text: string): boolean => /^~pagesession(\/|$)/.test(text);

export class Tree {
  private readonly acts: { readonly filter: string; readonly act: Act }[] = [];
  private readonly filters = new Set<string>();
  private readonly atServer = new Map<string, Promise<{ unsubscribe(): unknown }>>();

  constructor(
    private readonly server: ServerTopics,
    private readonly send: (message: ToPage) => void,
  ) {}

  /** The frame itself does something on these topics. */
  on(filter: string, act: Act): void {
    this.acts.push({ filter, act });
  }

  /** Says something under a topic of the frame: to the frame itself, then to the page. */
  publish(topic: string, data?: unknown): void {
    for (const { filter, act } of this.acts) if (matches(filter, topic)) act(topic, data);
    for (const filter of this.filters) if (matches(filter, topic)) this.send({ say: "message", filter, topic, data });
  }

  /** The page wants these. Filters that begin with a wildcard lead to the frame's topics, and to the server's. */
  subscribe(filter: string): void {
    if (isOfFrame(filter) || /^[+#]/.test(filter)) this.filters.add(filter);
    if (isOfFrame(filter)) return this.send({ say: "subscribed", filter });
    const subscription = this.server.subscribe(filter, ({ topic, data }) => this.send({ say: "message", filter, topic, data }));
    this.atServer.set(filter, subscription);
    const answered = (problem?: string): void => {
      if (this.atServer.get(filter) === subscription) this.send({ say: "subscribed", filter, problem });
    };
    subscription.then(() => answered(), (error: Error) => answered(error.message));
  }

  unsubscribe(filter: string): void {
    this.filters.delete(filter);
    const subscription = this.atServer.get(filter);
    this.atServer.delete(filter);
    subscription?.then((known) => known.unsubscribe()).catch(() => {
      // It never was in force.
    });
  }

  /** The page says something. */
  said(topic: string, data: unknown): void {
    if (isOfFrame(topic)) return this.publish(topic, data);
    this.server.publish(topic, data).catch((error: Error) => this.send({ say: "refused", topic, problem: error.message }));
  }
}
