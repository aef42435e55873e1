/** `/sdk/cobrowse.js`: loaded by the visitor's SDK when a session of the visitor runs. */

import type { GuestHost, SessionGuest } from "../visitor/session-host";
import { Guest } from "./guest";

/** Enters the session with this page. */
export function join(host: GuestHost, session: string): SessionGuest {
  return new Guest(host, session);
}
