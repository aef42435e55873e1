/** Leads an agent from an address with a visitor's id to that visitor's page, by a link of his own; first he signs in. */

import { byId, setText } from "../shared/dom";
import { GroupField } from "../shared/group";
import { AWAY } from "../shared/outage";
import { ask, codeOf, isAway, signedIn, signIn, signOut, type SignedIn } from "./agent";

/** How often somebody who waits asks again, in milliseconds. */
const ASK_AGAIN_MS = 2_000;

const visitor = new URLSearchParams(location.search).get("id") ?? "";
const form = byId<HTMLFormElement>("sign-in");
const groupField = new GroupField();
/** The group that the form need not ask for. */
let known = "";

function say(title: string, text: string): void {
  form.hidden = true;
  byId("notice").hidden = false;
  setText(byId("notice-title"), title);
  setText(byId("notice-text"), text);
  document.title = title;
}

const sayAway = (): void => say("One moment", `${AWAY} It is asked again by itself.`);

/** The visitor whom the address means: by his own id, else by what the site calls him. */
async function found(agent: SignedIn): Promise<string | undefined> {
  for (const query of [`visitorid=${encodeURIComponent(visitor)}`, `data.uniqueId=${encodeURIComponent(visitor)}`]) {
    const { visitors } = await ask<{ visitors: { visitorid: string }[] }>(`/v1/groups/${agent.group}/visitors?limit=1&${query}`, { agent });
    if (visitors[0]) return visitors[0].visitorid;
  }
  return undefined;
}

async function open(agent: SignedIn): Promise<void> {
  const visitorid = await found(agent);
  if (visitorid === undefined) {
    if (isAway) sayAway();
    else say("Waiting for the visitor", "The visitor is not on the site. The page appears here when he is.");
    setTimeout(() => attempt(agent), ASK_AGAIN_MS);
    return;
  }
  // A desktop around this page shows what it wants to show itself.
  const branding = { naked: window.parent === window ? false : "page_only" };
  const { watch_url } = await ask<{ watch_url: string }>(`/v1/groups/${agent.group}/watch-links`, { agent, body: { visitorid, branding } });
  location.replace(new URL(watch_url, location.origin).href);
}

function attempt(agent: SignedIn): void {
  open(agent).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === "authorization") {
      signOut();
      return void start();
    }
    if (code === "badrequest") return say("No visitor is named", "The address needs the id of a visitor: 1 to 100 letters, digits and . _ ~ -");
    if (code === "scope" || code === "origin") return say("No access", "You may not see visitors’ pages.");
    if (isAway) sayAway();
    else if (code !== "visitornotpresent") say("The server does not answer", "It is asked again by itself.");
    setTimeout(() => attempt(agent), ASK_AGAIN_MS);
  });
}

async function start(): Promise<void> {
  if (!visitor) return say("No visitor is named", "The address needs the id of a visitor, as in ?id=ada");
  const agent = await signedIn().catch(() => "unknown" as const);
  if (agent === "unknown") {
    say("The server does not answer", "It is asked again by itself.");
    setTimeout(() => void start(), ASK_AGAIN_MS);
  } else if (agent.token !== undefined) attempt(agent);
  else {
    known = agent.group;
    groupField.asks(known);
    byId("notice").hidden = true;
    form.hidden = false;
    byId(known ? "user" : "group-id").focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [user, secret] = [byId<HTMLInputElement>("user"), byId<HTMLInputElement>("secret")];
  const [name, key] = [user.value.trim(), secret.value.trim()];
  user.setAttribute("aria-invalid", String(name === ""));
  secret.setAttribute("aria-invalid", String(key === ""));
  const problem = byId("sign-in-error");
  if (name === "" || key === "") return setText(problem, "Both are needed.");
  const { group, problem: ofGroup } = groupField.read(known);
  setText(problem, ofGroup);
  if (ofGroup) return;
  signIn(group, name, key).then(
    (agent) => {
      secret.value = "";
      say("Opening the visitor’s page", "One moment.");
      attempt(agent);
    },
    (error: unknown) => {
      setText(problem, codeOf(error) === "authorization" ? `The server does not accept this key${known ? "" : " for this group"}.` : `The server says no: ${codeOf(error)}.`);
      secret.focus();
    },
  );
});

void start();
