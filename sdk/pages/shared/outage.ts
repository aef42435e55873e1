/** What a page says while the server that several nodes share is away: nothing is broken here, and nothing has to be done. */

import { byId, setText } from "./dom";

/** What has happened. */
export const AWAY = "The server cannot reach its records just now.";

/** Says in `#outage` that it is away, and what that means here; says nothing once it is back. */
export function showOutage(degraded: boolean, meaning: string): void {
  setText(byId("outage"), degraded ? `${AWAY} ${meaning}` : "");
}
