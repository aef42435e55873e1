/** Who the agent is: a token that is made by the server in development mode, or asked for with a key. */

import { agentLibrary, groupId } from "../../shared/facade";
import { knownGroup, type PageConfig } from "../../shared/group";
import type { AgentClass, Authorization } from "../../shared/glance";
import { note } from "./log";
import { codeOf } from "./reasons";

export type SessionState = "starting" | "asking" | "ready" | "refused" | "unreachable";

interface Session {
  state: SessionState;
  mode: "development" | "configured";
  group: string;
  /** The group that nobody has to be asked for; empty when there is none. */
  known: string;
  token: string;
  detail: string;
}

export const session: Session = { state: "starting", mode: "development", group: groupId(), known: groupId(), token: "", detail: "" };

const RETRY_MS = 3000;
const MINUTES = 60;
let library: { Agent: AgentClass; Authorization: Authorization } | undefined;
let credentials: Record<string, string> | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

export function agentClass(): AgentClass {
  if (!library) throw new Error("the library has not started");
  return library.Agent;
}

function change(state: SessionState, detail = ""): void {
  session.state = state;
  session.detail = detail;
  document.dispatchEvent(new CustomEvent("sessionchange"));
}

function later(ms: number, action: () => Promise<void>): void {
  clearTimeout(timer);
  timer = setTimeout(() => void action(), ms);
}

function take(token: string, seconds: number): void {
  session.token = token;
  note("info", "", "token", { group: session.group, expires_in: seconds });
  change("ready");
  later(Math.min((seconds * 1000 * 2) / 3, 2 ** 31 - 1), renew);
}

/** Development mode: the server mints a token for whoever sits at this machine. */
async function mint(): Promise<void> {
  try {
    const answer = await fetch("/demo/token", { method: "POST" });
    if (!answer.ok) {
      change("refused", `/demo/token answered ${answer.status}.`);
      return later(RETRY_MS, mint);
    }
    const { token, group, expires_in } = (await answer.json()) as {
      token: string;
      group?: string;
      expires_in?: number;
    };
    if (group) session.group = group;
    library?.Authorization.setToken(token);
    take(token, expires_in ?? 900);
  } catch {
    change("unreachable");
    later(RETRY_MS, mint);
  }
}

/** `authorize` has set the token already; the list of visitors needs it too. */
function takeAnswer(answer: unknown): void {
  const { authToken, authTokenExp } = (answer ?? {}) as { authToken?: string; authTokenExp?: string };
  const seconds = (Date.parse(authTokenExp ?? "") - Date.now()) / 1000;
  take(authToken ?? "", seconds > 0 ? Math.round(seconds) : MINUTES * 60);
}

/** Configured mode. The credentials stay in this page's memory, for the renewal only. */
export function authorize(given: Record<string, string>, group = session.group): Promise<void> {
  credentials = given;
  session.group = group;
  return new Promise((resolve, reject) => {
    library?.Authorization.authorize({
      service: "presence",
      groupid: session.group,
      credentials: given,
      duration: MINUTES,
      onsuccess: (answer) => {
        note("ok", "", "authorize", { group: session.group, minutes: MINUTES });
        takeAnswer(answer);
        resolve();
      },
      onfail: (reason) => {
        note("fail", "", "authorize", reason);
        reject(new Error(codeOf(reason)));
      },
    });
  });
}

async function renew(): Promise<void> {
  if (session.mode === "development") return mint();
  if (!credentials) return change("asking");
  try {
    await authorize(credentials);
  } catch (error) {
    if (codeOf(error) !== "connection") return change("asking", codeOf(error));
    change("unreachable");
    later(RETRY_MS, renew);
  }
}

/** The server said no to the token. One try for a new one follows, without hurry. */
export function refused(): void {
  if (session.state !== "ready") return;
  session.token = "";
  change("refused", "The token was refused; asking for a new one.");
  later(1000, renew);
}

export function signOut(): void {
  credentials = undefined;
  session.token = "";
  clearTimeout(timer);
  change("asking");
}

export async function startSession(): Promise<void> {
  try {
    library ??= await agentLibrary();
    const answer = await fetch("/demo/config.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`/demo/config.json answered ${answer.status}`);
    const config = (await answer.json()) as PageConfig;
    session.mode = config.mode === "configured" ? "configured" : "development";
    session.group = session.known = knownGroup(config);
  } catch (error) {
    change("unreachable", error instanceof Error ? error.message : "");
    return later(RETRY_MS, startSession);
  }
  if (session.mode === "configured") change("asking");
  else await mint();
}
