/** Where a session is seen: a new one, or the one that the server finds. */

import { session } from "./session";

export type Whom = { readonly visitorid: string } | { readonly uniqueid: string } | { readonly code: string };

/** Address of the watch page; rejected with the code as message. */
export async function watchAddress(whom: Whom): Promise<string> {
  const headers = { Authorization: `Bearer ${session.token}`, "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(whom) };
  let answer: Response;
  try {
    answer = await fetch(`/v1/groups/${encodeURIComponent(session.group)}/sessions`, init);
  } catch {
    throw new Error("connection");
  }
  const said = (await answer.json().catch(() => ({}))) as { watch_url?: string; code?: string };
  if (!answer.ok || !said.watch_url) throw new Error(said.code ?? "error");
  return new URL(said.watch_url, location.origin).href;
}
