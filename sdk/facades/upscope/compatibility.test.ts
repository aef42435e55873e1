/** What `docs/compatibility.md` says of the script is what the script does. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { EVENTS } from "./client";
import { COMMANDS } from "./commands";
import { OPTIONS } from "./config";

const [, page = ""] = readFileSync(resolve(import.meta.dirname, "../../../docs/compatibility.md"), "utf8").split("# Compatibility with Upscope's interfaces\n");

/** The names of a table's rows, by what is said of them. */
function said(kind: string): Map<string, string> {
  const [, table = ""] = page.split(`\n| ${kind} | here | remark |\n`);
  const rows = table.split("\n\n")[0]!.split("\n").slice(1);
  const names = rows.flatMap((row) => {
    const [, first = "", here = ""] = row.split(" | ").length > 1 ? ["", ...row.replace(/^\| /, "").split(" | ")] : [];
    return [...first.matchAll(/`([^`]+)`/g)].map(([, name]) => [name!, here.trim()] as const);
  });
  expect(new Set(names.map(([name]) => name)).size).toBe(names.length);
  for (const [name, here] of names) expect(["works", "differs", "missing"], name).toContain(here);
  return new Map(names);
}

const there = (rows: Map<string, string>): string[] => [...rows].filter(([, here]) => here !== "missing").map(([name]) => name);

test("each command is there, or said to be missing", () => {
  const rows = said("command");
  expect(there(rows).sort()).toEqual(Object.keys(COMMANDS).sort());
});

test("each option is read, or said to be missing", () => {
  const rows = said("option");
  expect(there(rows).sort()).toEqual([...OPTIONS].sort());
});

test("each event is told, or said to be missing", () => {
  const rows = said("event");
  expect(there(rows).sort()).toEqual([...EVENTS].sort());
});

/** The names of the dossier on the original: none of them is passed over. */
const ORIGINAL = {
  command: `init updateConnection connect reset stopSession getShortId getUserId getWatchLink getLookupCode getConnectionId requestAgent
    cancelRequestAgent on newPageview prefetchAssets expectDisconnect customMessage fullTabStart fullTabEnd startDebug stopDebug saveHistory`,
  option: `apiKey identities uniqueId tags integrationIds requireAuthorizationForSession authorizationPromptTitle authorizationPromptMessage
    endOfScreenshareMessage callWaitMessage onSessionRequest onSessionStart onSessionEnd onSessionContinue onWaitingForCall onConnection
    requireControlRequest allowRemoteClick allowRemoteScroll allowRemoteType allowAgentRedirect allowRemoteConsole trackConsole allowFullScreen
    allowRequestFullTab automaticallyRequestFullTab disableFullScreenWhenMasked autoconnect disconnectAfterSeconds maskedElements
    noRemoteElements lookupCodeElement injectLookupCodeButton lookupCodeButtonPages lookupCodeButtonStyle enableLookupCodeOnKey lookupCodeKey
    lookupCodeKeyRepetitions lookupCodeKeyTitle lookupCodeKeyMessage showUpscopeLink showTerminateButton showAgentRequestButton
    agentRequestButtonPages agentRequestButtonStyle agentRequestButtonTitle agentRequestButtonSubtitle proxyAssets domChangesDelay
    enableCanvases canvasEncoding integrateWithLivechat crossStorageEndpoint storageImplementation collectHistory enableSessionRating region
    cursorColor enlargeCursor drawingsTtlMs screenWakeLock translationsYes translationsNo translationsOk translationsStopSession`,
  event: `connection connectionReset sessionRequest sessionStart sessionContinue sessionEnd agentsAvailable agentRequestUpdate newObserver
    observerUpdate observerGone observerContentVisible observersCount customMessage callStart callAccepted callEnd waitingForCall`,
};

test.each(Object.entries(ORIGINAL))("no %s of the original is passed over", (kind, names) => {
  expect([...said(kind).keys()].sort()).toEqual(names.split(/\s+/).sort());
});
