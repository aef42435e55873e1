/** The button that asks a visitor to show his page, and opens the page that shows it. */

import { h, setText } from "../../shared/dom";
import { note } from "./log";
import type { Opened } from "./opened";
import { codeOf, explain } from "./reasons";
import { watchAddress } from "./watch-address";

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
    const whom = opened.visitorid ? { visitorid: opened.visitorid } : { uniqueid: opened.key };
    void watchAddress(whom).then(
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
