/** How `slave.html` comes by its seat: asked for by the session's id, and kept by the tab for its reloads. */

export interface KeptSeat {
  readonly ticket: string;
  /** The tab that took the seat. */
  readonly tab: string;
  /** The end of the ticket that the address brought, which alone opens nothing. */
  readonly by: string | undefined;
}

const key = (sid: string | undefined): string => `vestibule.slave.${sid ?? ""}`;

export function readSeat(store: Storage | undefined, sid: string | undefined): KeptSeat | undefined {
  try {
    return JSON.parse(store?.getItem(key(sid)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a seat, or forgets it. */
export function keepSeat(store: Storage | undefined, sid: string | undefined, seat: KeptSeat | undefined): void {
  try {
    if (seat) store?.setItem(key(sid), JSON.stringify(seat));
    else store?.removeItem(key(sid));
  } catch {
    // A reload then asks anew.
  }
}

/** The end of a ticket, by which it is known again. */
export const endOf = (ticket: string | undefined): string | undefined => ticket?.slice(-24);

const REFUSALS: Readonly<Record<number, string>> = {
  401: "The server does not accept the token.",
  403: "This server lets nobody in by a session ID alone. Open the session from your desktop.",
  404: "No session has this ID. It may be over: ask the customer to read it out again.",
  429: "Too many IDs were tried. Wait a minute.",
  503: "The server cannot do this just now. Try again in a moment.",
};

/** A ticket for an agent's seat in the session with this id; rejected with words for people. */
export async function askSeat(page: string, sid: string, group: string | null, token?: string): Promise<string> {
  const address = new URL(`rest/live/sessions/${encodeURIComponent(sid)}/seats`, page);
  if (group) address.searchParams.set("group", group);
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(address, { method: "POST", headers, credentials: "omit" }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  if (!answer.ok) throw new Error(REFUSALS[answer.status] ?? "It did not work. Try again.");
  return ((await answer.json()) as { readonly ticket: string }).ticket;
}
