/** One Chromium for a test file; each person gets a context, that is a profile, of his own. */

import { chromium, type Browser, type BrowserContext, type ConsoleMessage } from "playwright-core";
import { Journal } from "./journal";

export const CHROMIUM = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ARGUMENTS,
    // The product must work with the cache that real browsers have.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
}

/** What the pages of one person told, by the journal's name, and what went wrong in them. */
export class Diary {
  readonly journals = new Map<string, Journal>();
  /** Uncaught errors and failed loads of the person's pages. */
  readonly errors: string[] = [];

  constructor(
    readonly person: string,
    context: BrowserContext,
  ) {
    // Of the context rather than of each page: a page that another one opened speaks before the driver knows it.
    context.on("weberror", (error) => this.errors.push(`uncaught ${error.error().message}`));
    context.on("console", (message) => this.hear(message));
  }

  /** The journal that pages write to by `note(name, …)`. */
  journal(name: string): Journal {
    const known = this.journals.get(name);
    if (known) return known;
    const made = new Journal(`${this.person}, ${name}`);
    this.journals.set(name, made);
    return made;
  }

  describe(): string {
    const errors = this.errors.map((error) => `  ${this.person}: ${error}`);
    return [...errors, ...[...this.journals.values()].map((journal) => journal.describe())].join("\n");
  }

  private hear(message: ConsoleMessage): void {
    const [, journal, name, data] = /^note (\S+) (\S+) (.*)$/s.exec(message.text()) ?? [];
    if (journal && name && data) this.journal(journal).add(name, JSON.parse(data));
    else if (message.type() === "error") this.errors.push(`${message.text()} (${message.location().url})`);
  }
}
