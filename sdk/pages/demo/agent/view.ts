/** The button that asks a visitor to show his page, and opens the page that shows it. */

import { h, setText } from "../../shared/dom";
import { note } from "./log";
import type { Opened } from "./opened";
import { codeOf, explain } from "./reasons";
import { session } from "./session";

export interface ViewButton {
  readonly button: HTMLElement;
  /** Says how it went. */
  readonly line: HTMLElement;
}

const WORDS: Record<string, string> = {
  scope: "Your token does not allow co-browse sessions: it lacks the scope “session”.",
  visitornotpresent: "This visitor is not present, so there is nobody to ask.",
};

export function viewButton(opened: Opened): ViewButton {
  const button = h("button", { type: "button", class: "button small primary", "data-action": "view" }, "View page");
  const line = h("p", { class: "result", role: "status", "data-result-of": "view" });
  const say = (kind: "wait" | "ok" | "fail", text: string): void => {
    line.dataset["result"] = kind;
    setText(line, text);
  };
  button.addEventListener("click", () => {
    // Opened now, by the click: a browser opens no window for an answer that comes later.
    const tab = window.open("about:blank", "_blank");
    say("wait", "Asking the server");
    note("call", opened.key, "startSession");
    void begin(opened).then(
      (address) => {
        note("ok", opened.key, "startSession");
        if (tab) tab.location.replace(address);
        say("ok", tab ? "Opened in a tab of its own. The visitor is asked first." : "The browser opened no tab. Allow windows for this page, then try again.");
      },
      (error: unknown) => {
        const code = codeOf(error);
        tab?.close();
        note("fail", opened.key, "startSession", code);
        say("fail", WORDS[code] ?? explain(code));
      },
    );
  });
  return { button, line };
}

/** Address of the watch page; rejected with the code as message. */
async function begin(opened: Opened): Promise<string> {
  const whom = opened.visitorid ? { visitorid: opened.visitorid } : { uniqueid: opened.key };
  const headers = { Authorization: `Bearer ${session.token}`, "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(whom) };
  let answer: Response;
  try {
    answer = await fetch(`/v1/groups/${encodeURIComponent(session.group)}/sessions`, init);
  } catch {
    throw new Error("connection");
  }
  const said = (await answer.json().catch(() => ({}))) as { watch_url?: string; code?: string };
  if (!answer.ok || !said.watch_url) throw new Error(said.code ?? "error");
  return new URL(said.watch_url, location.origin).href;
}
