/** The primary interaction: a call or a chat, with the inactivity timeout that a contact centre sets for it. */

import type { AgentChats, ChatMessage } from "../../../chat";
import type { Closing } from "../../../facades/genesys";

/** What the desktop does with an interaction of either kind. */
export interface Primary {
  readonly title: string;
  readonly messages: readonly ChatMessage[];
  /** Undefined where nothing can be written. */
  say?(text: string): Promise<unknown>;
  /** Lets it go; the attached data is written before. */
  letGo(why: Exclude<Closing, "exited">): Promise<unknown>;
}

export const call = (): Primary => ({ title: "A call", messages: [], letGo: () => Promise.resolve() });

export async function chat(chats: AgentChats, id: string): Promise<Primary> {
  const { visitorid } = await chats.claim(id);
  return {
    title: visitorid.startsWith("~") ? "A chat" : `A chat with ${visitorid}`,
    get messages() {
      return chats.view(id)?.messages ?? [];
    },
    say: (text) => chats.say(id, text),
    // Whoever takes it next finds it among those that wait.
    letGo: (why) => (why === "transferred" ? chats.release(id) : chats.end(id)),
  };
}

/** Calls when nothing happened for so many seconds. */
export class Inactivity {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly seconds: () => number,
    private readonly expired: () => void,
  ) {}

  /** Something happened. */
  restart(): void {
    this.stop();
    this.timer = setTimeout(this.expired, this.seconds() * 1000);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
