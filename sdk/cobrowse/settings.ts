/** What a group says of its sessions, as the server sends it when a page enters one. */

import { VestibuleError } from "../core/errors";
import type { SharingOptions } from "../visitor/sharing";

export interface CobrowseSettings {
  /** Selectors of what is blotted out always. */
  readonly mask: readonly string[];
  /** Whether everything is blotted out except inside `allow`. */
  readonly private: boolean;
  readonly allow: readonly string[];
  /** Regular expressions whose matches are blotted out of every text. */
  readonly patterns: readonly string[];
  /** Language of dialogs and bar; the page's by default. */
  readonly language: string | null;
  /** Texts in place of the built-in ones, by key. */
  readonly texts: Readonly<Record<string, string>>;
  /** Origins of the group's pages. */
  readonly origins: readonly string[];
}

export const plainSettings: CobrowseSettings = {
  mask: [],
  private: false,
  allow: [],
  patterns: [],
  language: null,
  texts: {},
  origins: [],
};

/** The settings in the form in which they are applied. */
export interface Rules {
  readonly maskSelector: string;
  readonly blockSelector: string;
  /** What stays readable in private mode. */
  readonly openSelector: string;
  readonly isPrivate: boolean;
  readonly patterns: readonly RegExp[];
}

/** These work by attribute and by class, whatever the group says. */
const MASK = "[data-vestibule-mask],.data-vestibule-mask";
const BLOCK = "[data-vestibule-block],.data-vestibule-block";
const UNMASK = "[data-vestibule-unmask],.data-vestibule-unmask";

/**
 * Throws `masking` for a selector or pattern that this browser does not understand: whoever cannot mask as the group
 * wants must not record.
 */
export function compileRules(settings: CobrowseSettings, isSelector: (selector: string) => boolean, own: Pick<SharingOptions, "mask" | "block"> = {}): Rules {
  const join = (always: string, selectors: readonly string[]): string => {
    const wrong = selectors.find((selector) => !isSelector(selector));
    if (wrong !== undefined) throw new VestibuleError("masking", `${wrong} is no selector`);
    return [always, ...selectors].join(",");
  };
  return {
    maskSelector: join(MASK, [...settings.mask, ...(own.mask ?? [])]),
    blockSelector: join(BLOCK, own.block ?? []),
    openSelector: join(UNMASK, settings.allow),
    isPrivate: settings.private,
    patterns: settings.patterns.map(compilePattern),
  };
}

/** Rust writes flags at the beginning, `(?i)`; here they stand apart. */
function compilePattern(pattern: string): RegExp {
  const [, flags = "", source = ""] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(pattern) ?? [];
  try {
    return new RegExp(source, `gu${flags}`);
  } catch {
    throw new VestibuleError("masking", `${pattern} is no regular expression`);
  }
}

/** Asks the browser itself whether it understands a selector. */
export function isSelector(selector: string): boolean {
  try {
    document.createDocumentFragment().querySelector(selector);
    return selector.trim() !== "";
  } catch {
    return false;
  }
}
