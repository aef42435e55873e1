/** The server's topics, for as long as the page lives: what is wanted while there is no connection is done on the next. */

import { comesAgain, VestibuleError } from "../../../core/errors";
import { Topics } from "../../../core/topics";
import type { Visitor } from "../../../visitor/visitor";
import type { ServerTopics } from "./tree";

export function serverTopics(visitor: Visitor): ServerTopics {
  const topics = new Topics(visitor);
  const connected = (): Promise<void> => {
    if (visitor.state === "connected") return Promise.resolve();
    return new Promise((resolve) => {
      const forget = visitor.on("connected", () => {
        forget();
        resolve();
      });
    });
  };
  return {
    async subscribe(filter, handler) {
      for (;;) {
        await connected();
        try {
          return await topics.subscribe(filter, handler);
        } catch (error) {
          if (!(error instanceof VestibuleError && comesAgain(error))) throw error;
        }
      }
    },
    async publish(topic, data = null) {
      await connected();
      return topics.publish(topic, data);
    },
  };
}
