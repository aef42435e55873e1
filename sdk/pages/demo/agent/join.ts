/** The field for the code that a visitor reads out: it leads to his session. */

import { byId, setText } from "../../shared/dom";
import { note } from "./log";
import { codeOf, explain } from "./reasons";
import { watchAddress } from "./watch-address";

const WORDS: Record<string, string> = {
  notfound: "This code leads to no session. It may be over, or a digit is wrong.",
  scope: "Your token does not allow co-browse sessions: it lacks the scope “session”.",
};

/** Enters the session of a code in a tab of its own; what went wrong, in words, or nothing. To be called by a click. */
export async function enterByCode(code: string): Promise<string> {
  // Opened now, by the click: a browser opens no window for an answer that comes later.
  const tab = window.open("about:blank", "_blank");
  note("call", "", "joinSession");
  try {
    const address = await watchAddress({ code });
    note("ok", "", "joinSession");
    if (!tab) return "The browser opened no tab. Allow windows for this page, then try again.";
    tab.location.replace(address);
    return "";
  } catch (error) {
    const reason = codeOf(error);
    tab?.close();
    note("fail", "", "joinSession", reason);
    return WORDS[reason] ?? explain(reason);
  }
}

export function wireJoin(): void {
  const field = byId<HTMLInputElement>("join-code");
  const button = byId<HTMLButtonElement>("join-button");
  const say = (text: string): void => {
    field.setAttribute("aria-invalid", String(text !== ""));
    setText(byId("join-error"), text);
  };
  field.addEventListener("input", () => say(""));
  byId("join").addEventListener("submit", (event) => {
    event.preventDefault();
    // As people write codes down: in groups, with dashes.
    const code = field.value.replace(/[\s.\-\u202f]/g, "");
    if (!/^\d{4,12}$/.test(code)) {
      say("The code has digits only, six as a rule.");
      return field.focus();
    }
    button.disabled = true;
    void enterByCode(code).then((problem) => {
      button.disabled = false;
      say(problem);
      if (problem) field.focus();
      else field.value = "";
    });
  });
}
