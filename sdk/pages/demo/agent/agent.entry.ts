/** The agent's desk. It uses the public interface only, as any agent's page could. */

import { byId, setText } from "../../shared/dom";
import { wireChats } from "./chats";
import { closeAll, wireDesk } from "./desk";
import { wireJoin } from "./join";
import { wireLog } from "./log";
import { wireOffers } from "./offers";
import { explain } from "./reasons";
import { wireQueue } from "./queue";
import { wireRoster } from "./roster";
import { session, signOut, startSession, type SessionState } from "./session";
import { wireSignIn } from "./sign-in";

const WORDS: Record<SessionState, string> = {
  starting: "Starting",
  asking: "Not signed in",
  ready: "On duty",
  refused: "Token refused",
  unreachable: "Server unreachable",
};

let rosterTrouble = "";

/** Who is signed in is on duty only while his socket works. */
function pill(): void {
  const isCut = session.state === "ready" && rosterTrouble !== "";
  byId("session").dataset["state"] = isCut ? "unreachable" : session.state;
  setText(byId("session-text"), isCut ? "Not connected" : WORDS[session.state]);
}

function banner(): void {
  const { state, detail } = session;
  let text = state === "ready" ? rosterTrouble : "";
  if (state === "refused") text = detail || explain("authorization");
  if (state === "unreachable")
    text = `The server does not answer; trying again every few seconds.${detail ? ` (${detail})` : ""}`;
  const element = byId("banner");
  element.hidden = text === "";
  element.dataset["kind"] = state;
  setText(element, text);
}

function show(): void {
  const { state } = session;
  document.body.dataset["session"] = state;
  pill();
  setText(byId("group"), session.group);
  byId("bar-group").hidden = session.group === "";
  const inside = session.token !== "" || !byId("desk").hidden;
  byId("sign-in").hidden = state !== "asking";
  byId("desk").hidden = state === "asking" || !inside;
  byId("sign-out").hidden = session.mode !== "configured" || state !== "ready";
  banner();
}

document.addEventListener("sessionchange", show);
document.addEventListener("rostertrouble", (event) => {
  rosterTrouble = (event as CustomEvent<string>).detail;
  pill();
  banner();
});
byId("sign-out").addEventListener("click", () => {
  closeAll();
  signOut();
});

wireLog();
wireSignIn();
wireDesk();
wireOffers();
wireRoster();
wireJoin();
wireQueue();
wireChats();
void startSession();
