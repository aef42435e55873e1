/** The presence data of one visitor as this page knows it: what the site gave, and the page itself. */

import { checkData, type PresenceData } from "../core/limits";
import { describePage, type PagePlace } from "./page";

export class PresenceRecord {
  /** Whether the server has everything that the site gave, or is being told. */
  isComplete = false;
  private given: PresenceData = {};
  /** What the server knows of the page itself; empty where that is not known. */
  private toldPage = "";

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
    checkData(data);
    checkData({ ...this.describe(), ...before, ...data });
    this.given = { ...before, ...data };
    this.isComplete = false;
    return () => {
      const { given } = this;
      for (const name of Object.keys(data)) {
        // What was said of it since stays.
        if (given[name] !== data[name]) continue;
        if (name in before) given[name] = before[name]!;
        else delete given[name];
      }
    };
  }

  /** The whole record, for a hello; counts as told. */
  whole(): PresenceData {
    return this.update(this.given);
  }

  /** An update of `data`, with the page's own fields as in every update; counts as told. */
  update(data: PresenceData): PresenceData {
    const page = this.describe();
    this.isComplete = true;
    this.toldPage = JSON.stringify(page);
    return { ...page, ...data };
  }

  /** What was told last was refused, or nobody knows: the server may lack anything. */
  untold(): void {
    this.isComplete = false;
    this.toldPage = "";
  }

  /** Whether the server knows all of it, or is being told. */
  get isKnown(): boolean {
    return this.isComplete && JSON.stringify(this.describe()) === this.toldPage;
  }

  clear(): void {
    this.given = {};
    this.untold();
  }

  private describe(): PresenceData {
    return this.page ? describePage(this.page, this.place?.() ?? this.page) : {};
  }
}
