/** Notices that a co-browse session of the visitor runs, and loads what this page needs for it. */

import type { Emitter } from "../core/emitter";
import type { Frame } from "../core/frames";
import type { SessionFrame } from "./frames";
import type { VisitorEvents } from "./options";
import type { GuestHost, SessionGuest } from "./session-host";

interface Loaded {
  join(host: GuestHost, session: string): SessionGuest;
}

export class Session {
  /** The session that runs. */
  id: string | undefined;
  private guest: SessionGuest | undefined;
  /** What came for the guest while it was being loaded. */
  private early: Frame[] = [];

  constructor(
    private readonly events: Emitter<VisitorEvents>,
    private readonly host: GuestHost,
  ) {}

  /** The server took the hello. */
  welcomed(session: string | undefined): void {
    if (session === this.id) this.guest?.welcomed();
    this.runs(session);
  }

  away(paged: boolean): void {
    this.early = [];
    this.guest?.away(paged);
  }

  /** Whether the frame was for a session. */
  receive(frame: Frame): boolean {
    if (frame.type === "session") this.runs((frame as SessionFrame).session ?? undefined);
    else if (!/^(record|ask|sessionevent)$/.test(frame.type)) return false;
    else if (this.guest) this.guest.receive(frame);
    else if (this.id) this.early.push(frame);
    return true;
  }

  /** This session runs, or none. */
  runs(session: string | undefined): void {
    const before = this.id;
    if (before === session) return;
    this.id = session;
    this.guest?.end();
    this.guest = undefined;
    this.early = [];
    if (before) this.events.emit("sessionend", { session: before });
    if (!session) return;
    this.events.emit("sessionstart", { session });
    load(this.host.origin).then(
      ({ join }) => {
        if (this.id !== session) return;
        this.guest = join(this.host, session);
        for (const frame of this.early.splice(0)) this.guest.receive(frame);
      },
      () => this.host.problem("SCRIPT_NOT_LOADED", "the part for co-browsing could not be loaded"),
    );
  }
}

const loads: Record<string, Promise<Loaded>> = {};

/** Once a page; a load that failed is tried again with the next session. */
function load(origin: string): Promise<Loaded> {
  const address = `${origin}/sdk/cobrowse.js`;
  return (loads[address] ??= (import(/* @vite-ignore */ address) as Promise<Loaded>).catch((error: unknown) => {
    delete loads[address];
    throw error;
  }));
}
