/**
 * A link that stood in the path of the address, as desktops open it in a frame: taken out of the address at once, and kept by
 * this frame for its reloads. Several frames of one tab share its storage, so each keeps its own by the entry of its history.
 */

import type { Stage } from "./embedding";

/** What the server says of a link, by an attribute of the page. */
export interface LinkTerms {
  readonly group: string;
  /** How much of ours is shown around the visitor's page. */
  readonly naked: boolean | "page_only";
  readonly retry_url: string | null;
  readonly on_end_url: string | null;
  /** The origin of the page around this frame, if only that may hear of it. */
  readonly parent: string | null;
  /** Whether the window is to be closed at the end. */
  readonly closes: boolean;
}

interface Kept {
  readonly terms: LinkTerms;
  /** The link's at first, then the seat's. */
  readonly ticket?: string | undefined;
  /** The tab that took the seat. */
  readonly tab: string;
  /** How far the session came, as the page around was told. */
  readonly stage?: Stage | undefined;
}

const PREFIX = "vestibule.link.";

export class KeptLink {
  private constructor(
    private readonly page: Window,
    private readonly key: string,
    private kept: Kept,
  ) {}

  /** The link of this page, if it came by one. `tab` is what this tab is called, unless it took the seat under another name. */
  static of(page: Window, tab: string): KeptLink | undefined {
    const told = readTerms(page.document.body.dataset["link"]);
    // Made of letters that no address has to quote.
    const last = page.location.pathname.split("/").pop() ?? "";
    if (told && last.includes(".")) {
      // The seal alone opens nothing, and no other link has it.
      const key = PREFIX + last.slice(-24);
      const link = new KeptLink(page, key, read(page, key) ?? { terms: told, ticket: last, tab });
      page.history.replaceState({ key }, "", `/watch/${told.group}`);
      link.keep({});
      return link;
    }
    const key = (page.history.state as { readonly key?: unknown } | null)?.key;
    const kept = typeof key === "string" && key.startsWith(PREFIX) ? read(page, key) : undefined;
    return kept && new KeptLink(page, key as string, kept);
  }

  get terms(): LinkTerms {
    return this.kept.terms;
  }

  get ticket(): string | undefined {
    return this.kept.ticket;
  }

  get tab(): string {
    return this.kept.tab;
  }

  get stage(): Stage | undefined {
    return this.kept.stage;
  }

  keep(changes: Partial<Pick<Kept, "ticket" | "stage">>): void {
    this.kept = { ...this.kept, ...changes };
    try {
      this.page.sessionStorage.setItem(this.key, JSON.stringify(this.kept));
    } catch {
      // A reload then needs a new link.
    }
  }
}

function read(page: Window, key: string): Kept | undefined {
  try {
    const text = page.sessionStorage.getItem(key);
    return text === null ? undefined : (JSON.parse(text) as Kept);
  } catch {
    return undefined;
  }
}

function readTerms(text: string | undefined): LinkTerms | undefined {
  return text ? (JSON.parse(text) as LinkTerms) : undefined;
}
