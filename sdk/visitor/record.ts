/** The presence data of one visitor as this page knows it: what the site gave, and the page itself. */

import { checkData, type PresenceData } from "../core/limits";
import { describePage, type PagePlace } from "./page";

export class PresenceRecord {
  private given: PresenceData = {};
  private told: PresenceData | undefined;
  /** What the server knows of the page itself; empty where that is not known. */
  toldPage = "";

  constructor(
    private readonly page: Window | undefined,
    private readonly place?: () => PagePlace,
  ) {}

  /**
   * Merges `data`; gives back the function that takes it out again, for when the server refuses it.
   * Throws `badrequest` or `toolarge`, and merges nothing, when a limit is passed.
   */
  merge(data: PresenceData): () => void {
    const before = this.given;
    const merged = { ...before, ...data };
    checkData(data);
    checkData({ ...this.describe(), ...merged });
    this.given = merged;
    return () => {
      if (this.given === merged) this.given = before;
    };
  }

  /** Whether the server has everything that the site gave. */
  get complete(): boolean {
    return this.told === this.given;
  }

  /** The whole record, for a hello; counts as told. */
  whole(): PresenceData {
    return this.update(this.given);
  }

  /** An update of `data`, with the page's own fields as in every update; counts as told. */
  update(data: PresenceData): PresenceData {
    const page = this.describe();
    this.told = this.given;
    this.toldPage = JSON.stringify(page);
    return { ...page, ...data };
  }

  /** Whether the page's own fields have changed since they were last told. */
  get pageChanged(): boolean {
    return JSON.stringify(this.describe()) !== this.toldPage;
  }

  clear(): void {
    this.given = {};
    this.told = undefined;
  }

  private describe(): PresenceData {
    return this.page ? describePage(this.page, this.place?.() ?? this.page) : {};
  }
}
