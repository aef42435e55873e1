/** What the address of the page asks for. The names are those of the viewer's address in `glance.md` 6.4. */

export interface Wish {
  readonly visitorid: string;
  /** Whether to wait until the session starts. */
  readonly waits: boolean;
  /** Single sign-on. */
  readonly credentials: Record<string, string> | undefined;
}

const VISITOR = /^[A-Za-z0-9._~-]{1,100}$/;

/** Undefined when no visitor is named. Names are read in either case. */
export function readWish(query: string): Wish | undefined {
  const given = new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value]));
  const visitorid = given.get("visitorid") || given.get("sessionkey") || "";
  if (!VISITOR.test(visitorid)) return undefined;
  const names = ["partnerid", "partneruserid", "loginkey"].filter((name) => given.get(name));
  const credentials = Object.fromEntries(names.map((name) => [name, given.get(name)!]));
  return { visitorid, waits: given.get("wait") === "1", credentials: names.includes("loginkey") ? credentials : undefined };
}
