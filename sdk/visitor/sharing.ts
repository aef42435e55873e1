/** What a page says of itself for co-browse sessions, beside what the group says. */

import type { ConsentTo } from "../cobrowse/frames";

/** Words of the question in place of the usual ones; each may be left out. */
export interface QuestionWords {
  readonly title?: string | undefined;
  readonly text?: string | undefined;
  readonly accept?: string | undefined;
  readonly decline?: string | undefined;
}

/** Read whenever it is needed, so that a page may change it. */
export interface SharingOptions {
  /** Whether the site has settled with the visitor that he need not be asked before agents see its pages; false by default. */
  readonly agreed?: boolean | undefined;
  /** Whether agents may ask to work on the page; true by default. */
  readonly control?: boolean | undefined;
  /** More selectors of elements whose texts and values are blotted out. */
  readonly mask?: readonly string[] | undefined;
  /** Selectors of elements of which only a box of their size is shown. */
  readonly block?: readonly string[] | undefined;
  /** Texts in place of the built-in ones, by key. */
  readonly texts?: Readonly<Record<string, string>> | undefined;
  /** Words of a question, for the agent of this name, which may be empty. */
  question?(to: ConsentTo, agent: string): QuestionWords;
  /** Asks the visitor in place of the built-in dialog, which opens when this gives nothing. */
  ask?(to: ConsentTo, agent: string): Promise<boolean> | undefined;
}
