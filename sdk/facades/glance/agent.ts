import { Agent } from "../../agent/agent";
import type { VisitorEventData } from "../../agent/frames";
import type { VisitorTarget } from "../../agent/watch";
import type { Authorization } from "./authorization";
import { connectFailure, type ServiceError } from "./failure";
import { callHandler } from "./namespace";
import { address, callRest, reasonOf, RestFailure, type Reason } from "./rest";
import type { Settings } from "./settings";

export interface AgentParams {
  /** Host of the presence server; the script's own by default. */
  readonly presenceserver?: string;
  readonly visitorid?: string | number;
  readonly uniqueid?: string | number;
  /** The tag's group by default. */
  readonly groupid?: string | number;
}

interface Callbacks<Answer> {
  readonly onsuccess?: (answer: Answer) => void;
  readonly onfail?: (reason: Reason) => void;
}

const eventNames = [
  "visitorconn",
  "visitorsock",
  "presence",
  "terms",
  "visibility",
  "visitorsessionstart",
  "visitorsessionend",
  "visitorerror",
] as const;

type Handlers = { [Name in (typeof eventNames)[number] as `on${Name}`]?: ((data: VisitorEventData[Name]) => void) | null };

/** Makes the class `GLANCE.Presence.Agent` for one page. */
export function defineAgent(settings: Settings, authorization: Authorization) {
  interface PresenceAgent extends Handlers {}

  /** An agent's link to one visitor. Handlers are properties, read when an event comes. */
  class PresenceAgent {
    onerror?: ((error: ServiceError) => void) | null;
    private core: Agent | undefined;
    private forget: (() => void) | undefined;
    private joinedId: string | undefined;

    constructor(private readonly params: AgentParams) {
      if (params?.visitorid === undefined && params?.uniqueid === undefined) {
        throw new TypeError("a visitorid or a uniqueid is needed");
      }
    }

    /** Not implemented, as documented. */
    static query(params?: Callbacks<never>): void {
      callHandler(params, params?.onfail, "error");
    }

    /** Gives the visitor's presence information; an empty object when he is absent. */
    lookupVisitor(params: Callbacks<Record<string, unknown>> = {}): void {
      this.call(params, "/lookupvisitor");
    }

    /** Sends `data` to the visitor; `onsuccess` means that the service took it. */
    signalVisitor(params: Callbacks<unknown> & { readonly data: unknown }): void {
      const data = params.data ?? null;
      this.send(params, (core) => core.signal(this.target, data), { mtype: "signal", data });
    }

    /** Calls a function under `GLANCE` of the visitor's page; `onsuccess` as above. */
    invokeVisitor(params: Callbacks<unknown> & { readonly func: string; readonly args?: unknown }): void {
      const { func, args } = params;
      const data = { func, ...(args !== undefined && { args }) };
      this.send(params, (core) => core.invoke(this.target, func, args), { mtype: "invoke", data });
    }

    /** Opens the socket for events about this visitor; the present state is told first. */
    connect(): void {
      if (!this.core) this.open();
      this.core?.connect().catch(() => {});
    }

    disconnect(): void {
      const { core } = this;
      this.core = undefined;
      this.forget?.();
      core?.disconnect();
    }

    private open(): void {
      const group = this.group ?? "";
      // One function for all agents of the page, so that they share a socket.
      const server = settings.presenceOrigin(this.params.presenceserver);
      const core = new Agent({ server, group, token: authorization.token });
      this.core = core;
      this.forget = authorization.onToken(() => void core.renewToken());
      const fail = (code: string): void => {
        if (this.core === core) callHandler(this, this.onerror, connectFailure(code));
      };
      core.on("outage", () => fail("connection"));
      core.on("error", (error) => fail(error.code));
      const watch = core.watch(this.target);
      // An anonymous visitor became known: the watch goes on there by itself, calls must follow.
      watch.on("visitorjoined", ({ visitorid }) => (this.joinedId = visitorid));
      for (const name of eventNames) {
        watch.on(name, (data) => callHandler(this, (this as Record<string, unknown>)[`on${name}`], data));
      }
      // When the whole connection ended, the agent's own error has told it.
      watch.on("error", (error) => core.state === "closed" || fail(error.code));
    }

    /** An open socket keeps the order of what is sent, and tells this agent of a function that fails. */
    private send(params: Callbacks<unknown>, over: (core: Agent) => Promise<unknown>, body: object): void {
      if (this.core?.state === "connected") this.answer(params, over(this.core));
      else this.call(params, "/signalvisitor", body);
    }

    private call<Answer>(params: Callbacks<Answer>, path: string, body?: unknown): void {
      const origin = settings.presenceOrigin(this.params.presenceserver);
      const target = address(origin, path, { groupid: this.group, ...this.target });
      const token = authorization.token();
      this.answer(params, token ? callRest(target, token, body) : Promise.reject(new RestFailure("authorization")));
    }

    private answer(params: Callbacks<never>, answered: Promise<unknown>): void {
      void answered.then(
        (answer) => callHandler(params, params.onsuccess, answer),
        (error: unknown) => callHandler(params, params.onfail, reasonOf(error)),
      );
    }

    private get group(): string | undefined {
      return this.params.groupid === undefined ? settings.groupid : String(this.params.groupid);
    }

    private get target(): Exclude<VisitorTarget, string> {
      const { visitorid, uniqueid } = this.params;
      return visitorid !== undefined ? { visitorid: this.joinedId ?? String(visitorid) } : { uniqueid: String(uniqueid) };
    }
  }
  return PresenceAgent;
}
