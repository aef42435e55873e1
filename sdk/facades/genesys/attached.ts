/**
 * What a desktop attaches to its interaction (`genesys.md` 10): names and forms matter to reports. Pure; each step gives all
 * of it anew.
 */

export interface AttachedData {
  /** Whether a session belongs to the interaction just now. */
  readonly CoBrowseAssociated?: "Yes" | "No";
  /** How many sessions the interaction has had. */
  readonly CoBrowseSessionsQuantity?: number;
  /** The last session's name in the history. */
  readonly CoBrowseSessionId?: string;
  /** When the interaction's first session became active: Unix milliseconds, as text. */
  readonly CoBrowseStartTime?: string;
  /** How long its sessions were active, together, in milliseconds. */
  readonly CoBrowseDuration?: number;
}

/** Of a session that is over; no time of activation where it was never active, no times at all where nobody knows. */
export interface Deactivated {
  readonly activationTime?: number | null;
  readonly deactivationTime?: number;
}

/** The controller is in: the answer to JOIN came. */
export function whenJoined(data: AttachedData, sessionHistoryId: string): AttachedData {
  const quantity = (data.CoBrowseSessionsQuantity ?? 0) + 1;
  return { ...data, CoBrowseAssociated: "Yes", CoBrowseSessionsQuantity: quantity, CoBrowseSessionId: sessionHistoryId };
}

/** ACTIVATED came: customer and agent are there. */
export function whenActivated(data: AttachedData, activationTime: number): AttachedData {
  return { CoBrowseStartTime: String(activationTime), ...data };
}

/** The session is over. */
export function whenDeactivated(data: AttachedData, { activationTime, deactivationTime }: Deactivated): AttachedData {
  const over = { ...data, CoBrowseAssociated: "No" } as const;
  if (!activationTime || !deactivationTime) return over;
  const duration = (data.CoBrowseDuration ?? 0) + Math.max(0, deactivationTime - activationTime);
  return { ...whenActivated(over, activationTime), CoBrowseDuration: duration };
}

/** What is new in `after`: the keys that are to be written. */
export function changes(before: AttachedData, after: AttachedData): AttachedData {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key as keyof AttachedData] !== value));
}
