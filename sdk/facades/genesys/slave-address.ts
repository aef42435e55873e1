/** The address of `slave.html` (`genesys.md` 8): what its fragment asks for. */

export interface SlaveAddress {
  /** The session's id as it was written; it may be none. */
  readonly sid: string | undefined;
  /** A ticket that the desktop asked for; ours. */
  readonly ticket: string | undefined;
  /** Whether the desktop has a field of its own for the session's id. */
  readonly hasOwnField: boolean;
  /** Whether the console is told what happens. */
  readonly debug: boolean;
}

/** Whether this is the page of that name. Proxies keep the name. */
export const isSlavePage = ({ pathname }: Pick<Location, "pathname">): boolean => pathname.endsWith("/slave.html");

export function readAddress(hash: string): SlaveAddress {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return {
    sid: given.get("sid")?.trim() || undefined,
    ticket: given.get("ticket") || undefined,
    hasOwnField: given.get("nosidinput") === "1",
    debug: given.get("debug") === "1",
  };
}

/** The fragment of an address; a ticket stands in it only where one is given. */
export function writeAddress({ sid, ticket, hasOwnField, debug }: Partial<SlaveAddress>): string {
  const parts = [hasOwnField && "nosidinput=1", sid && `sid=${encodeURIComponent(sid)}`, ticket && `ticket=${encodeURIComponent(ticket)}`, debug && "debug=1"];
  const text = parts.filter(Boolean).join("&");
  return text && `#${text}`;
}

/** The nine digits, however a person spaces them; undefined for anything else. */
export function sessionToken(text: string): string | undefined {
  const digits = text.replace(/[\s-]/g, "");
  return /^\d{9}$/.test(digits) ? digits : undefined;
}
