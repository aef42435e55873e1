/** Brings an agent from an address with a visitor's id to that visitor's session, as soon as there is one. */

import { byId, setText } from "../shared/dom";
import { AWAY } from "../shared/outage";
import { signIn, type NotSignedIn, type SignedIn } from "./sign-in";
import { readWish, type Wish } from "./wish";

/** How often somebody who waits asks again, in milliseconds. */
const ASK_AGAIN_MS = 2_000;

type Standing = "connecting" | "asking" | "badlink";

function say(standing: Standing, short: string, title: string, text: string, toDesk = false): void {
  document.body.dataset["standing"] = standing;
  document.title = title;
  setText(byId("state"), short);
  setText(byId("notice-title"), title);
  setText(byId("notice-text"), text);
  byId("desk").hidden = !toDesk;
}

const refusals: Record<NotSignedIn, () => void> = {
  nobody: () => say("badlink", "No access", "You are not signed in", "The address of this page carries no login key. Open the visitor from your desk.", true),
  refused: () => say("badlink", "No access", "The server does not accept this login key", "It may be too old. Get a new address from your desk.", true),
  connection: () => say("connecting", "Connecting", "The server does not answer", "It is asked again by itself."),
};

const sayAway = (): void => say("connecting", "Waiting", "One moment", `${AWAY} It is asked again by itself.`);

/** Whether the last answer was marked: what several nodes share is away. */
let isAway = false;

const codeOf = (error: unknown): string => (error instanceof Error ? error.message : "error");

/** Calls the sessions of the agent's group; rejected with the word of the error. */
async function call<T>({ group, token }: SignedIn, method: string, path: string, body?: object): Promise<T> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const address = `/v1/groups/${encodeURIComponent(group)}/sessions${path}`;
  const answer = await fetch(address, { method, headers, ...(body && { body: JSON.stringify(body) }) }).catch(() => {
    isAway = false;
    throw new Error("connection");
  });
  isAway = answer.headers.get("Vestibule-Degraded") === "true";
  const said = (await answer.json().catch(() => ({}))) as T & { code?: string };
  if (!answer.ok) throw new Error(said.code ?? "error");
  return said;
}

async function join(agent: SignedIn, wish: Wish): Promise<void> {
  const { sessions } = await call<{ sessions: unknown[] }>(agent, "GET", `?visitorid=${encodeURIComponent(wish.visitorid)}&limit=1`);
  if (sessions.length > 0) {
    const { watch_url } = await call<{ watch_url: string }>(agent, "POST", "", { visitorid: wish.visitorid });
    return location.replace(new URL(watch_url, location.origin).href);
  }
  if (isAway) sayAway();
  else if (wish.waits) say("asking", "Waiting", "Waiting for the visitor", "The page appears here as soon as the visitor shows it.");
  else return say("badlink", "Not started", "The session has not started", "Ask the visitor to start it, then reload this page.");
  setTimeout(() => attempt(agent, wish), ASK_AGAIN_MS);
}

function attempt(agent: SignedIn, wish: Wish): void {
  join(agent, wish).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === "scope") return say("badlink", "No access", "You may not join sessions", "Your token lacks the scope “session”.");
    // It lived for an hour.
    if (code === "authorization") return refusals.refused();
    if (!["connection", "unready", "ratelimited", "visitornotpresent"].includes(code)) {
      return say("badlink", "No access", "The server says no", `The reason it gives: ${code}.`);
    }
    if (isAway) sayAway();
    else if (code !== "visitornotpresent") refusals.connection();
    setTimeout(() => attempt(agent, wish), ASK_AGAIN_MS);
  });
}

function enter(wish: Wish): void {
  signIn(wish.credentials).then(
    (agent) => attempt(agent, wish),
    (error: unknown) => {
      const why = codeOf(error) as NotSignedIn;
      (refusals[why] ?? refusals.connection)();
      if (why !== "nobody" && why !== "refused") setTimeout(() => enter(wish), ASK_AGAIN_MS);
    },
  );
}

function begin(): void {
  const wish = readWish(location.search);
  if (!wish) {
    return say("badlink", "No visitor", "No visitor is named", "The address needs a VisitorId or SessionKey of 1 to 100 letters, digits and . _ ~ -", true);
  }
  // A login key is a secret; the address bar and the history need not have it.
  if (wish.credentials) history.replaceState(null, "", `${location.pathname}?VisitorId=${encodeURIComponent(wish.visitorid)}${wish.waits ? "&Wait=1" : ""}`);
  setText(byId("visitor"), wish.visitorid);
  enter(wish);
}

begin();
