/** The ticket that opens the session: from the address once, then kept for this tab. */

const KEY = "vestibule.watch.ticket";

/** Takes the ticket out of the address, where others could read it; else the one that this tab has. */
export function takeTicket(page: Window): string | undefined {
  const given = page.location.hash.slice(1);
  if (given) {
    page.history.replaceState(null, "", page.location.pathname);
    keepTicket(page, given);
    return given;
  }
  try {
    return page.sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keepTicket(page: Window, ticket: string): void {
  try {
    page.sessionStorage.setItem(KEY, ticket);
  } catch {
    // A reload then needs a new link.
  }
}

export function forgetTicket(page: Window): void {
  try {
    page.sessionStorage.removeItem(KEY);
  } catch {
    // There was none.
  }
}
