/** The terms dialog: a native modal `<dialog>` in an open shadow root. */

import { dialogStyle } from "./style";

export interface DialogContent {
  readonly title: string;
  readonly text: string;
  /** Address of the terms; a link is shown for http and https only. */
  readonly termsurl?: string | undefined;
  /** Text of that link. */
  readonly link: string;
  readonly accept: string;
  readonly decline: string;
}

export interface OpenDialog {
  /** True when the visitor accepted. */
  readonly answer: Promise<boolean>;
  /** Takes the dialog away as if it was declined. */
  close(): void;
}

/**
 * Shows the dialog and asks. The browser keeps the focus inside and gives it back at the end;
 * Escape declines, and nothing but the button accepts.
 */
export function openDialog(page: Window, content: DialogContent): OpenDialog {
  const { document } = page;
  const make = <Name extends keyof HTMLElementTagNameMap>(name: Name, part: string, text = "") => {
    const element = document.createElement(name);
    element.setAttribute("part", part);
    element.textContent = text;
    return element;
  };
  const host = document.createElement("div");
  host.setAttribute("data-glance-terms", "");
  const root = host.attachShadow({ mode: "open" });
  adoptStyle(page, root);

  const dialog = make("dialog", "dialog");
  const title = make("h2", "title", content.title);
  const text = make("p", "text", content.text);
  const buttons = make("div", "buttons");
  const decline = make("button", "button decline", content.decline);
  const accept = make("button", "button accept", content.accept);
  title.id = "title";
  text.id = "text";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.setAttribute("aria-describedby", text.id);
  accept.type = decline.type = "button";
  buttons.append(decline, accept);
  dialog.append(title, text, ...termsLink(page, make("a", "link", content.link), content.termsurl), buttons);
  root.append(dialog);

  let close!: () => void;
  const answer = new Promise<boolean>((resolve) => {
    const end = (accepted: boolean): void => {
      // Closing tells `close`, which would decline: the first answer counts.
      resolve(accepted);
      if (dialog.open) dialog.close();
      host.remove();
    };
    accept.addEventListener("click", () => end(true));
    decline.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", () => end(false));
    // A second Escape closes without `cancel`.
    dialog.addEventListener("close", () => end(false));
    close = () => end(false);
  });
  (document.body ?? document.documentElement).append(host);
  dialog.showModal();
  // Not on Accept: a key that was meant for the page must not consent.
  decline.focus();
  return { answer, close };
}

/** An agent may name the address, so a script address must not become a link. */
function termsLink(page: Window, link: HTMLAnchorElement, termsurl: string | undefined): HTMLElement[] {
  if (!termsurl) return [];
  try {
    const target = new URL(termsurl, page.location.href);
    if (target.protocol !== "http:" && target.protocol !== "https:") return [];
    link.href = target.href;
  } catch {
    return [];
  }
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return [link];
}

/** A constructed style sheet passes a content security policy without `unsafe-inline`. */
function adoptStyle(page: Window, root: ShadowRoot): void {
  try {
    const Sheet = (page as unknown as { CSSStyleSheet: typeof CSSStyleSheet }).CSSStyleSheet;
    const sheet = new Sheet();
    sheet.replaceSync(dialogStyle);
    root.adoptedStyleSheets = [sheet];
  } catch {
    // An older browser shows its own plain dialog.
  }
}
