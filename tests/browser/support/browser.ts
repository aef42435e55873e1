/** One Chromium for a test file; each person gets a context, that is a profile, of his own. */

import { chromium, type Browser, type BrowserContext, type ConsoleMessage, type Page } from "playwright-core";
import { Journal } from "./journal";

export const CHROMIUM = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

export const ARGUMENTS = [
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
  private readonly pageNames = new WeakMap<Page, string>();
  private readonly stamps = new Set<string>();
  private count = 0;

  constructor(
    readonly person: string,
    context: BrowserContext,
  ) {
    // Of the context rather than of each page: a page that another one opened speaks before the driver knows it.
    context.on("weberror", (error) => this.errors.push(`${this.which(error.page())}: uncaught ${error.error().message}`));
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

  private take(stamp: string, journal: string, name: string, data: string): void {
    if (this.stamps.has(stamp)) return;
    this.stamps.add(stamp);
    this.journal(journal).add(name, JSON.parse(data));
  }

  private hear(message: ConsoleMessage): void {
    const [stamp, journal, name, data] = splitNote(message.text());
    if (stamp) this.take(stamp, journal, name, data);
    else if (message.type() === "error") {
      this.errors.push(`${this.which(message.page())}: ${message.text()} (${message.location().url})`);
    }
  }

  /** A page's name in error messages: pages are numbered as they first speak. */
  private which(page: Page | null): string {
    if (!page) return "a page";
    const name = this.pageNames.get(page) ?? `page ${(this.count += 1)}`;
    this.pageNames.set(page, name);
    return name;
  }
}

function splitNote(text: string): [string, string, string, string] {
  const match = /^note (\S+) (\S+) (\S+) (.*)$/s.exec(text);
  return [match?.[1] ?? "", match?.[2] ?? "", match?.[3] ?? "", match?.[4] ?? "null"];
}
