/** Notices that a co-browse session of the visitor runs, and loads what this page needs for it. */

import type { Frame } from "../core/frames";
import type { SessionFrame } from "./frames";
import type { GuestHost, SessionGuest } from "./session-host";

interface Loaded {
  join(host: GuestHost, session: string): SessionGuest;
}

export class Session {
  /** The session that runs. */
  id: string | undefined;
  private guest: SessionGuest | undefined;

  constructor(private readonly host: GuestHost) {}

  /** The server took the hello. */
  welcomed(session: string | undefined): void {
    if (session === this.id) this.guest?.welcomed();
    this.runs(session, true);
  }

  away(paged: boolean): void {
    this.guest?.away(paged);
  }

  /** Whether the frame was for a session. */
  receive(frame: Frame): boolean {
    if (frame.type === "session") this.runs((frame as SessionFrame).session ?? undefined);
    else if (!/^(record|ask|sessionevent)$/.test(frame.type)) return false;
    // Nothing comes for a page that has not entered.
    else this.guest?.receive(frame);
    return true;
  }

  /** This session runs, or none; `continued` when it began before this page was there. */
  runs(session: string | undefined, continued = false): void {
    const before = this.id;
    if (before === session) return;
    this.id = session;
    this.guest?.end();
    this.guest = undefined;
    if (before) this.host.events.emit("sessionend", { session: before });
    if (!session) return;
    this.host.events.emit("sessionstart", { session, continued });
    const { join, origin } = this.host;
    if (join) return void (this.guest = join(this.host, session));
    load(origin).then(
      (loaded) => {
        if (this.id === session) this.guest = loaded.join(this.host, session);
      },
      () => this.host.problem("SCRIPT_NOT_LOADED", address(origin)),
    );
  }
}

const address = (origin: string): string => `${origin}/sdk/cobrowse.js`;
const loads: Record<string, Promise<Loaded>> = {};

/** Once a page; a load that failed is tried again with the next session. */
function load(origin: string): Promise<Loaded> {
  return (loads[origin] ??= (import(/* @vite-ignore */ address(origin)) as Promise<Loaded>).catch((error: unknown) => {
    delete loads[origin];
    throw error;
  }));
}
