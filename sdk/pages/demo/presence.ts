/** The visitor's side of presence: one object for the page, what it reports, and what it is told. */

import { groupId, setSiteSettings, visitorClass } from "../shared/facade";
import { forget, keep, kept } from "../shared/kept";
import type { Failure, PresenceData, VisitorObject } from "../shared/glance";
import { cartSummary, cartTotal } from "./cart";

const KEY = "harbour-pine.visitor";

export type State = "loading" | "connecting" | "connected" | "trouble" | "ended" | "unavailable";

export interface Story {
  state: State;
  detail: string;
  visitorid: string;
  data: PresenceData;
}

export const story: Story = { state: "loading", detail: "", visitorid: signedInAs() ?? "", data: {} };

let visitor: VisitorObject | undefined;
let view: PresenceData = {};

export function signedInAs(): string | null {
  const name = kept(KEY);
  return name !== null && /^[A-Za-z0-9._~-]{1,100}$/.test(name) ? name : null;
}

function tell(state: State, detail = ""): void {
  story.state = state;
  story.detail = detail;
  story.visitorid = signedInAs() ?? visitor?.core?.visitorid ?? "";
  document.dispatchEvent(new CustomEvent("presencechange"));
}

/** Called before the library runs, so that it finds the site's settings. */
export function announceSite(): void {
  const visitorid = signedInAs();
  setSiteSettings({ groupid: groupId(), ...(visitorid === null ? {} : { visitorid, name: visitorid }) });
}

/** What an agent sees of this page besides what the library adds. A key cannot be taken back, only emptied. */
function presenceData(): PresenceData {
  return {
    shop: "Harbour & Pine",
    page: document.body.dataset["page"] ?? "",
    product: "",
    ...view,
    cart: cartSummary(),
    cart_pence: cartTotal(),
    signed_in: signedInAs() ?? "no",
  };
}

export function report(changed: PresenceData = {}): void {
  view = { ...view, ...changed };
  story.data = presenceData();
  document.dispatchEvent(new CustomEvent("presencechange"));
  visitor?.presence({ data: story.data, onsuccess: () => tell("connected") });
}

/** The original interface tells no connection states; the connection below it does. */
function followConnection({ core }: VisitorObject): void {
  core?.on("connected", () => tell("connected"));
  core?.on("disconnected", ({ code, retrying }) => tell(retrying ? "connecting" : "ended", code));
}

function readFailure(failure: Failure): void {
  const parts = [failure.error ?? failure.code, failure.detail ?? failure.msg].filter(Boolean);
  tell("trouble", parts.join(": ") || "unknown error");
}

/** `open` starts the connection: `connect()` on most pages, `connectUnique()` on the help page. */
export async function startPresence(
  onsignal: (data: unknown) => void,
  open: (visitor: VisitorObject) => void,
): Promise<VisitorObject | undefined> {
  story.data = presenceData();
  try {
    const Visitor = await visitorClass();
    const visitorid = signedInAs();
    visitor = new Visitor(visitorid === null ? { groupid: groupId() } : { groupid: groupId(), visitorid });
    visitor.onsignal = onsignal;
    visitor.onerror = readFailure;
    tell("connecting");
    open(visitor);
    followConnection(visitor);
    report();
  } catch (error) {
    tell("unavailable", error instanceof Error ? error.message : String(error));
  }
  return visitor;
}

/** From here on this browser's visitor has a name; presence goes on without a gap. */
export async function signIn(name: string): Promise<void> {
  keep(KEY, name);
  announceSite();
  const Visitor = await visitorClass();
  Visitor.setVisitorId?.(name);
  report();
}

/** Ends presence under the name at once; the next page starts anonymously. */
export function signOut(): void {
  forget(KEY);
  visitor?.disconnect();
  announceSite();
  tell("ended");
}
