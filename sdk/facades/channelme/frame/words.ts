/** The frame's words: in the language of the page around it, or else of the browser; less those that the page gives itself. */

import { firstKnown, ownText } from "../../../core/language";
import type { Spoken } from "../messages";
import { languages, type TextKey, type Texts } from "./languages";

/** A longer text is cut: it stands on buttons, and in lines. */
const LONGEST = 200;

export interface Words {
  readonly language: string;
  /** How times are written: as the browser does, where it has the same language. */
  readonly locale: string;
  /** `name`: the agent's; without one he is named as such. */
  (key: TextKey, name?: string): string;
}

/** What a page gives is text for people, whatever is in it; what it lacks is ours. */
export function wordsOf({ language, words = {} }: Spoken, browser: string): Words {
  const code = firstKnown([language, browser], languages) ?? "en";
  const known = languages[code] as Texts;
  const text = (key: TextKey): string => ownText(words, key)?.slice(0, LONGEST) ?? known[key];
  const locale = firstKnown([browser], { [code]: known }) ? browser : code;
  return Object.assign((key: TextKey, name?: string) => text(key).replace("{name}", () => name || text("agent")), { language: code, locale });
}

/** Puts the words in their places: `data-text` names an element's text, `data-label` its label, `data-tip` what a pointer shows, `data-hint` what stands in an empty field. */
export function fill(document: Document, words: Words): void {
  document.documentElement.lang = words.language;
  const put = (name: string, set: (element: HTMLElement, text: string) => void): void => {
    for (const element of document.querySelectorAll<HTMLElement>(`[data-${name}]`)) set(element, words(element.dataset[name] as TextKey));
  };
  put("text", (element, text) => (element.textContent = text));
  put("label", (element, text) => element.setAttribute("aria-label", text));
  put("tip", (element, text) => element.setAttribute("title", text));
  put("hint", (element, text) => element.setAttribute("placeholder", text));
}
