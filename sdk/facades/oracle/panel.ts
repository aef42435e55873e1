/** Draws the button, the panel with the code, and questions: one closed shadow root, which no recording holds. */

import { OWN } from "../../cobrowse/masking/attributes";
import { adoptStyle } from "../../cobrowse/ui/adopt";
import { Reasons } from "./states";
import { style } from "./style";
import { textsIn, type TextKey } from "./texts";
import type { Handlers, Question, Ui, View } from "./ui";

const whyEnded = new Map<string, TextKey>([
  [Reasons.agent, "agent"],
  [Reasons.waited, "waited"],
  [Reasons.network, "network"],
]);

export function openUi(page: Window, handlers: Handlers): Ui {
  const { document } = page;
  const host = document.createElement("div");
  host.setAttribute(OWN, "launcher");
  const root = host.attachShadow({ mode: "closed" });
  adoptStyle(page, root, style);
  const make = maker(document);
  const start = make("button", "button start");
  start.append(icon(document), make("span", "words"));
  start.addEventListener("click", () => handlers.start());
  const panel = make("section", "panel");
  panel.tabIndex = -1;
  let drawn = "";
  root.append(start, panel);

  /** What stands in the panel: the code, or why the session ended. */
  function fill({ language, code, ended }: View): void {
    const print = JSON.stringify([language, code, ended]);
    if (print === drawn) return;
    drawn = print;
    const texts = textsIn(language);
    const title = make("h2", "title", code === undefined ? texts.ended : texts.title);
    title.id = "title";
    panel.setAttribute("aria-labelledby", title.id);
    const button = code === undefined ? make("button", "button close", texts.close) : make("button", "button cancel", texts.cancel);
    button.addEventListener("click", () => (code === undefined ? handlers.dismiss() : handlers.stop()));
    const buttons = make("div", "buttons");
    buttons.append(button);
    const words = code === undefined ? texts[whyEnded.get(ended ?? "") ?? "other"] : texts.hint;
    const text = make("p", "text", words);
    text.setAttribute("role", "status");
    const held = panel.contains(root.activeElement);
    panel.replaceChildren(title, ...(code === undefined ? [] : [codeLine(code, texts.wait)]), text, buttons);
    // Whoever stood on a button that is gone stands here.
    if (held) panel.focus();
  }

  function codeLine(code: string, wait: string): HTMLElement {
    const line = make("p", "code");
    line.setAttribute("role", "status");
    line.toggleAttribute("data-waits", code === "");
    const shown = make("span", "digits", code === "" ? "··· ···" : grouped(code));
    shown.setAttribute("aria-hidden", "true");
    // Digit by digit, not as a number.
    const said = make("span", "said", code === "" ? wait : [...code].join(" "));
    said.className = "said";
    line.append(shown, said);
    return line;
  }

  return {
    show(view) {
      const texts = textsIn(view.language);
      const hasPanel = view.code !== undefined || view.ended !== undefined;
      const focused = root.activeElement !== null;
      host.lang = view.language;
      // Below a panel stands the session's bar, or its last words.
      host.toggleAttribute("data-rest", !hasPanel);
      if (!host.isConnected) document.documentElement.append(host);
      const words = start.lastElementChild;
      if (words && words.textContent !== texts.start) words.textContent = texts.start;
      if (hasPanel) fill(view);
      else drawn = "";
      panel.hidden = !hasPanel;
      start.hidden = !view.button || view.ended !== undefined;
      if (!focused || root.activeElement) return;
      if (hasPanel) panel.focus();
      else if (view.button) start.focus();
    },

    ask: (question) => {
      if (!host.isConnected) document.documentElement.append(host);
      panel.hidden ||= panel.childElementCount === 0;
      start.hidden ||= !start.textContent;
      return ask(document, root, question);
    },
  };
}

/** A modal question. Escape says no; the focus begins on no, so that no key meant for the page agrees. */
function ask(document: Document, root: ShadowRoot, { about, language, text }: Question): Promise<boolean> {
  const texts = textsIn(language);
  const make = maker(document);
  const dialog = make("dialog", "dialog");
  const title = make("h2", "question", texts[`${about}.title`]);
  const words = make("p", "explanation", about === "terms" ? text : texts["leaving.text"].replace("{text}", text));
  const no = make("button", "button no", texts[`${about}.no`]);
  const yes = make("button", "button yes", texts[`${about}.yes`]);
  const buttons = make("div", "buttons");
  [title.id, words.id] = ["question", "explanation"];
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.setAttribute("aria-describedby", words.id);
  dialog.lang = language;
  buttons.append(no, yes);
  dialog.append(title, words, buttons);
  root.append(dialog);
  const answer = new Promise<boolean>((resolve) => {
    // A click that a script makes up accepts nothing.
    yes.addEventListener("click", (event) => event.isTrusted && resolve(true));
    no.addEventListener("click", () => resolve(false));
    dialog.addEventListener("cancel", () => resolve(false));
    dialog.addEventListener("close", () => resolve(false));
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
  });
  dialog.showModal();
  no.focus();
  void answer.then(() => {
    if (dialog.open) dialog.close();
    dialog.remove();
  });
  return answer;
}

/** In threes, where that divides them; else in fours, or as they are. */
export function grouped(code: string): string {
  const size = [3, 4].find((each) => code.length % each === 0) ?? code.length;
  return code.match(new RegExp(`.{1,${size}}`, "g"))?.join("\u202f") ?? code;
}

function maker(document: Document) {
  return <Name extends keyof HTMLElementTagNameMap>(name: Name, part: string, text = ""): HTMLElementTagNameMap[Name] => {
    const element = document.createElement(name);
    element.setAttribute("part", part);
    element.textContent = text;
    if (name === "button") element.setAttribute("type", "button");
    return element;
  };
}

function icon(document: Document): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  // A page, and an eye on it.
  for (const d of ["M4 5.5h16v9", "M4 5.5v13h6", "M4 9h16", "M12 18.2c1.3-2.1 2.9-3.2 4.7-3.2s3.4 1.1 4.7 3.2c-1.3 2.1-2.9 3.2-4.7 3.2s-3.4-1.1-4.7-3.2z"]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
