/** What a page may call (`upscope.md` 6), by the command's name. All answers come by callbacks. */

import type { Identification } from "./config";
import { EVENTS, warn, type Client, type EventName, type Listener } from "./client";

/** Most calls that wait for `init`; more are said to be lost. */
export const MOST_EARLY = 100;

type Command = (client: Client, call: readonly unknown[]) => void;

const answered = (callback: unknown, answer: Promise<unknown>): void => {
  if (typeof callback !== "function") return;
  answer.then((value) => (callback as Listener)(value), warn);
};

/** The table in `docs/compatibility.md` has the same. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  init: (client, [config]) => client.init(config),
  updateConnection: (client, [who]) => client.identify((who ?? {}) as Identification),
  connect: (client) => client.connect(),
  reset: (client, [reopen = true]) => client.reset(reopen !== false),
  stopSession: (client) => client.stopSession(),
  getShortId: (client, [callback]) => answered(callback, Promise.resolve(client.shortId)),
  getWatchLink: (client, [callback]) => answered(callback, Promise.resolve(client.watchLink)),
  getLookupCode: (client, [callback]) => answered(callback, client.lookupCode()),
  requestAgent: (client) => client.requestAgent(),
  cancelRequestAgent: (client) => client.cancelAgentRequest(),
  customMessage: (client, [message]) => client.say(message),
  on: (client, call) => {
    const listener = call[call.length - 1];
    if (typeof listener !== "function") throw new Error("the last argument of on must be a function");
    for (const name of call.slice(0, -1)) {
      if ((EVENTS as readonly unknown[]).includes(name)) client.on(name as EventName, listener as Listener);
      else warn({ message: `there is no event ${String(name)}` });
    }
  },
};

export class Commands {
  private isInitialised = false;
  private early: (readonly unknown[])[] = [];

  constructor(private readonly client: Client) {}

  /** Carries a call out; before `init`, all but listening waits for it. Never throws into the page. */
  call(call: readonly unknown[]): void {
    const [name, ...rest] = call;
    const isInit = name === "init";
    if (!this.isInitialised && !isInit && name !== "on") {
      if (this.early.length < MOST_EARLY) this.early.push(call);
      else warn({ message: `${String(name)}: too many calls wait for init` });
      return;
    }
    const known = typeof name === "string" && Object.prototype.hasOwnProperty.call(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!known) return warn({ message: `there is no command ${String(name)}` });
    try {
      known(this.client, rest);
    } catch (error) {
      return warn({ message: `${String(name)}: ${(error as Error).message}` });
    }
    if (!isInit || this.isInitialised) return;
    this.isInitialised = true;
    for (const waiting of this.early.splice(0)) this.call(waiting);
  }
}
