/** The desk's own agent object, for what the panels' interface does not tell: the list, and all of a visitor's record. */

import { Agent, type ListQuery, type SessionOffer, type StartedSession, type VisitorList, type VisitorRecord } from "../../../agent";
import { offerDigits } from "../../../core/chat";
import { showOutage } from "../../shared/outage";
import { explain } from "./reasons";
import { refused, session } from "./session";

const MEANING = "You stay connected, and no visitor is taken for gone. What you see may be old, and some things have to wait.";

let agent: Agent | undefined;
let offered: (offer: SessionOffer) => void = () => undefined;

/** A live list; nothing while nobody is signed in. */
export function watchList(query: ListQuery): VisitorList | undefined {
  return agent?.watch(query);
}

/** Something that lives as long as the agent; nothing while nobody is signed in. */
export function withAgent<Result>(make: (agent: Agent) => Result): Result | undefined {
  return agent && make(agent);
}

/** A visitor as the server holds him, whether the list shows him or not. */
export async function recordOf(visitorid: string): Promise<VisitorRecord | null> {
  return (await agent?.lookup(visitorid)) ?? null;
}

/** Takes a seat in a session. */
export function joinSession(session: string): Promise<StartedSession> {
  return agent?.joinSession(session) ?? Promise.reject(new Error("authorization"));
}

/** A code by which the visitor shows his page and this agent sees it, of a session of theirs: the running one, or a new one. */
export async function offerCode(visitorid: string): Promise<string> {
  if (!agent) throw new Error("authorization");
  const { session } = await agent.startSession({ visitorid });
  const code = await agent.sessionCode(session, offerDigits);
  // It had one before, which an offer cannot carry.
  if (code.length !== offerDigits) throw new Error("notoffered");
  return code;
}

/** Takes a visitor's wish for help, or tells him that nobody comes; rejected with the code as message. */
export async function answerHelp(comes: boolean, visitorid: string, help: string): Promise<void> {
  if (!agent) throw new Error("authorization");
  try {
    await (comes ? agent.claimHelp(visitorid, help) : agent.declineHelp(visitorid, help));
  } catch (error) {
    throw new Error((error as { code?: string }).code ?? "error");
  }
}

/** Hears of seats that are handed to this agent, also of those that waited for him. */
export function onOffer(handler: (offer: SessionOffer) => void): void {
  offered = handler;
}

export function tell(text: string): void {
  document.dispatchEvent(new CustomEvent("rostertrouble", { detail: text }));
}

/** One agent for as long as somebody is signed in; a fresh token is handed on to its socket. */
export function wireNative(begun: () => void, ended: () => void): void {
  const leave = (): void => {
    agent?.disconnect();
    agent = undefined;
    showOutage(false, MEANING);
    ended();
    document.dispatchEvent(new CustomEvent("nativechange"));
  };
  document.addEventListener("sessionchange", () => {
    if (session.state === "ready" && session.token) {
      if (agent) return void agent.renewToken();
      agent = new Agent({ server: location.origin, group: session.group, token: () => session.token, outageMs: 2000 });
      agent.on("connected", () => {
        tell("");
        // A token without that scope has none.
        agent?.offers().then((offers) => offers.forEach(offered), () => undefined);
      });
      agent.on("sessionoffer", (offer) => offered(offer));
      agent.on("degraded", (degraded) => showOutage(degraded, MEANING));
      agent.on("outage", () => tell("The server does not answer. Trying again; what you see may be old."));
      agent.on("error", ({ code }) => {
        leave();
        if (code === "authorization" || code === "expired") refused();
        else tell(explain(code));
      });
      begun();
      document.dispatchEvent(new CustomEvent("nativechange"));
    } else if (session.state === "asking") leave();
  });
}
