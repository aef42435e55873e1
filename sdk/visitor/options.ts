/** Options and events of a visitor. */

import type { Environment } from "../core/environment";
import type { VestibuleError } from "../core/errors";
import type { HelpNews, TermsStatus } from "../core/frames";
import type { Identity } from "../core/identity";
import type { Entrance, SessionNews } from "../cobrowse/frames";
import type { UniqueId } from "./frames";
import type { PagePlace } from "./page";
import type { GuestHost, SessionGuest } from "./session-host";
import type { SharingOptions } from "./sharing";

export interface VisitorOptions {
  /** Host, `host:port` or address of the server; without a scheme, https is taken. */
  readonly server: string;
  /** The group, as text or number. */
  readonly group: string | number;
  /** The site's id for this visitor; an anonymous id by default. */
  readonly visitorid?: string;
  /**
   * The site's signature of `visitorid`, where the group has keys for that: an HMAC or a JWT. A
   * function is asked before each connection, so that it can fetch one that is still valid.
   */
  readonly signature?: string | ((visitorid: string) => string | Promise<string>);
  /** Whether an anonymous id outlives the tab, in first-party storage; true by default. */
  readonly storeAnonymousId?: boolean;
  /** How often a changed page is reported, in milliseconds; 60,000 by default. */
  readonly updateMs?: number;
  /** What this page says of itself for co-browse sessions. */
  readonly sharing?: SharingOptions;
  /** In a frame of the server's own: what its hello shows in place of an origin; asked before each connection. */
  readonly ticket?: () => Promise<string>;
  /** In a frame: the page around it, which is told in place of the frame's own address and title. */
  readonly place?: () => PagePlace;
  /** In a frame: takes part in sessions for the page around it. */
  readonly guest?: (host: GuestHost, session: string) => SessionGuest;
  /** Clock, randomness and sockets; the browser's by default. */
  readonly environment?: Environment;
  /** The window; the current one by default. */
  readonly page?: Window;
  /** Ids of tab and page; the current page's by default. */
  readonly identity?: Identity;
}

/** A session that the visitor begins. One that runs already goes on as it began. */
export interface SessionWish {
  /** He has been asked and wants it, as by a button that says so; else he is asked. */
  readonly agreed?: boolean;
  /** A code leads agents to it; `sessionentered` tells it. */
  readonly withcode?: boolean;
  /** What it is called in another system, such as a chat; agents find it by that. */
  readonly reference?: string | undefined;
  /** What it is called in reports; kept with it in the history. */
  readonly reportingid?: string | undefined;
}

export interface VisitorEvents {
  /** An agent's signal; `data` as the agent gave it. */
  signal: { readonly id: string; readonly data: unknown };
  /** An agent calls one of the page's functions; told before it runs. */
  invoke: { readonly id: string; readonly func: string; readonly args: unknown };
  /** This page is now the one that gets the visitor's signals. */
  focus: undefined;
  /** Another page of the visitor gets the signals now. */
  blur: undefined;
  /** The server gave a unique id, or another one than before. */
  uniqueid: UniqueId;
  /** The unique id's life ended, and the connection with it. */
  close: undefined;
  /** The visitor asked for help, or it stands otherwise with that; also told to a page that comes later. */
  help: HelpNews;
  /** A co-browse session of the visitor runs, and this page takes part; `continued` when it began before the page was there. */
  sessionstart: { readonly session: string; readonly continued: boolean };
  /** This page came into it, or back into it: the code that leads agents there, who is there. */
  sessionentered: Entrance;
  /** Something happened in it: who is there, whether agents see the pages. A page that comes in is told how it stands. */
  sessionevent: SessionNews;
  /** It is over, for this page too. */
  sessionend: { readonly session: string };
  /** The connection ended for good, or the server refused something that nobody waits for. */
  error: VestibuleError;
  /** The server took the hello, the first time and after each drop. */
  connected: { readonly visitorid: string; readonly epoch: number; readonly terms: TermsStatus | null };
  /** The socket went. `retrying` tells whether the SDK comes back by itself. */
  disconnected: { readonly code: string; readonly retrying: boolean };
}
