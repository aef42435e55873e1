/** The question whether agents may see the page: a native modal dialog. */

import type { UiRoot } from "./root";

export interface Question {
  readonly title: string;
  readonly text: string;
  readonly accept: string;
  readonly decline: string;
}

export interface OpenQuestion {
  /** True when the visitor agreed; `undefined` when the question was taken back. */
  readonly answer: Promise<boolean | undefined>;
  takeBack(): void;
}

/**
 * Asks. The browser keeps the focus inside and gives it back at the end; Escape declines, and nothing but the button
 * agrees. Keys and clicks that scripts make up agree to nothing.
 */
export function ask(ui: UiRoot, question: Question): OpenQuestion {
  const dialog = ui.make("dialog", "dialog");
  const title = ui.make("h2", "title", question.title);
  const text = ui.make("p", "text", question.text);
  const buttons = ui.make("div", "buttons");
  const decline = ui.make("button", "button decline", question.decline);
  const accept = ui.make("button", "button accept", question.accept);
  title.id = "question";
  text.id = "explanation";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.setAttribute("aria-describedby", text.id);
  accept.type = decline.type = "button";
  buttons.append(decline, accept);
  dialog.append(title, text, buttons);
  ui.root.append(dialog);

  let takeBack!: () => void;
  const answer = new Promise<boolean | undefined>((resolve) => {
    const end = (given: boolean | undefined): void => {
      // Closing tells `close`, which would decline: the first answer counts.
      resolve(given);
      if (dialog.open) dialog.close();
      dialog.remove();
    };
    accept.addEventListener("click", (event) => {
      if (event.isTrusted) end(true);
    });
    decline.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", () => end(false));
    // A second Escape closes without `cancel`.
    dialog.addEventListener("close", () => end(false));
    // What is typed here is not for the page's own shortcuts.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    takeBack = () => end(undefined);
  });
  dialog.showModal();
  // Not on the button that agrees: a key that was meant for the page must not consent.
  decline.focus();
  return { answer, takeBack };
}
