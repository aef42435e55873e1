/** Hands the agent's seat over to another agent, who is told at his desk. */

import { codeOf } from "../../core/errors";
import { byId, setText } from "../shared/dom";
import type { Seat } from "./seat";

const WORDS: Readonly<Record<string, string>> = {
  badrequest: "That is your own sign-in name.",
  ratelimited: "That was too fast. Wait a moment.",
  timeout: "The server did not answer. Try again.",
};

export function wireHandOver(seat: Seat): void {
  const dialog = byId<HTMLDialogElement>("handing");
  const to = byId<HTMLInputElement>("handing-to");
  const say = (problem: string): void => {
    setText(byId("handing-error"), problem);
    to.toggleAttribute("aria-invalid", problem !== "");
    if (problem) to.focus();
  };
  byId("hand-over").addEventListener("click", () => {
    say("");
    dialog.showModal();
    to.select();
  });
  to.addEventListener("input", () => say(""));
  byId("handing-cancel").addEventListener("click", () => dialog.close());
  byId("handing-form").addEventListener("submit", (event) => {
    // It stays open until the session knows.
    event.preventDefault();
    const name = to.value.trim();
    if (!name) return say("Say to whom.");
    seat.ask({ type: "transfer", to: name }).then(
      () => {
        setText(byId("waiting"), `Waiting for ${name} to take over`);
        dialog.close();
      },
      (error: unknown) => say(WORDS[codeOf(error, "")] ?? "It could not be handed over. Try again."),
    );
  });
}
