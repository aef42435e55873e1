import { VestibuleError } from "../../core/errors";
import type { PresenceData } from "../../core/limits";
import { Visitor } from "../../visitor/visitor";
import { connectFailure, type ServiceError } from "./failure";
import { callHandler } from "./namespace";
import type { Settings } from "./settings";

export interface VisitorParams {
  /** `GLANCE_COBROWSE.groupid`, the tag's, or the script address's group by default. */
  readonly groupid?: string | number;
  /** `GLANCE_COBROWSE.visitorid` or the tag's by default; without any, an anonymous id. */
  readonly visitorid?: string | number;
  readonly presenceserver?: string;
  /** The site's signature of the visitor id; `GLANCE_COBROWSE.visitorsignature` or the tag's by default. Not in the original. */
  readonly signature?: string | ((visitorid: string) => string | Promise<string>);
}

/** Makes the class `GLANCE.Presence.Visitor` for one page. */
export function defineVisitor(settings: Settings) {
  let changed: { readonly visitorid: string; readonly signature?: string } | undefined;
  // Objects for the same visitor share one connection, so that a page counts as one page.
  const cores: { readonly place: string; readonly core: Visitor }[] = [];

  /** A visitor's presence. Handlers are properties, read when an event comes. */
  class PresenceVisitor {
    /** The object that was made last, for other scripts of the page. */
    static instance: PresenceVisitor | undefined;
    /** Told of each connection that is made. */
    static onmade: ((core: Visitor) => void) | undefined;

    onsignal?: ((data: unknown) => void) | null;
    onerror?: ((error: ServiceError) => void) | null;
    onuniqueid?: ((uniqueid: string, seconds: number) => void) | null;
    onclose?: (() => void) | null;
    onconnect?: (() => void) | null;
    onfocus?: (() => void) | null;
    onblur?: (() => void) | null;
    private made: Visitor | undefined;

    constructor(private readonly params: VisitorParams = {}) {
      PresenceVisitor.instance = this;
    }

    /** Goes on under another visitor id, without a reload. */
    static setVisitorId(visitorid: string | number, signature?: string): void {
      changed = { visitorid: String(visitorid), ...(signature !== undefined && { signature }) };
      const { instance } = PresenceVisitor;
      instance?.attempt((core) => core.identify(String(visitorid), signature));
    }

    /** Reports presence; `data` is merged into what the server holds. Failures go to `onerror`. */
    presence(params: { readonly data?: PresenceData; readonly onsuccess?: () => void } = {}): void {
      this.attempt(async (core) => {
        await core.presence(params.data ?? {});
        callHandler(params, params.onsuccess);
      });
    }

    /** Listens for agents. */
    connect(): void {
      this.attempt((core) => core.connect());
    }

    /** Listens for agents under a code that the server gives; see `onuniqueid`. */
    connectUnique(params: { readonly data?: PresenceData } = {}): void {
      this.attempt((core) => core.connectUnique(params));
    }

    /** Gives the code its whole life again. */
    extendUnique(): void {
      this.attempt((core) => core.extendUnique());
    }

    /** Ends the presence connection; `onclose` is not called. */
    disconnect(): void {
      this.made?.disconnect();
    }

    /** The connection itself, for this facade's other parts; undefined before the first call. */
    get core(): Visitor | undefined {
      return this.made;
    }

    private attempt(run: (core: Visitor) => Promise<unknown>): void {
      void (async () => {
        try {
          await run((this.made ??= this.make()));
        } catch (error) {
          // `closed` is our own disconnect; the end of a connection comes as an event.
          const told = (error as VestibuleError).code === "closed" || this.made?.state === "closed";
          if (!told) callHandler(this, this.onerror, requestFailure(error));
        }
      })();
    }

    private make(): Visitor {
      const group = this.params.groupid ?? settings.groupid;
      if (group === undefined) throw new VestibuleError("group", "the group is not known");
      const visitorid = changed?.visitorid ?? this.params.visitorid ?? settings.visitorid;
      const own = this.params.signature ?? settings.visitorsignature;
      // A text signs one id; a function any.
      const signature = changed && typeof own === "string" ? changed.signature : (changed?.signature ?? own);
      const server = settings.presenceOrigin(this.params.presenceserver);
      const made = new Visitor({
        server,
        group,
        ...(visitorid !== undefined && { visitorid: String(visitorid) }),
        ...(signature !== undefined && { signature }),
      });
      const place = `${server} ${group}`;
      const known = cores.find((other) => other.place === place && other.core.visitorid === made.visitorid);
      const core = known?.core ?? made;
      if (!known) {
        cores.push({ place, core });
        PresenceVisitor.onmade?.(core);
      }
      core.on("signal", ({ data }) => callHandler(this, this.onsignal, data));
      core.on("uniqueid", ({ uniqueid, seconds }) => callHandler(this, this.onuniqueid, uniqueid, seconds));
      core.on("close", () => callHandler(this, this.onclose));
      core.on("connected", () => callHandler(this, this.onconnect));
      core.on("focus", () => callHandler(this, this.onfocus));
      core.on("blur", () => callHandler(this, this.onblur));
      core.on("error", (error) => {
        const ended = core.state === "closed";
        callHandler(this, this.onerror, ended ? connectFailure(error.code) : requestFailure(error));
      });
      return core;
    }
  }
  return PresenceVisitor;
}

export type PresenceVisitorClass = ReturnType<typeof defineVisitor>;

function requestFailure(error: unknown): ServiceError {
  if (error instanceof VestibuleError) return { error: error.code, detail: error.message };
  return { error: "error", detail: String(error) };
}
