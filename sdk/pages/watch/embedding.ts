/** The seam to the page in whose frame this one stands: what that is told, and what it may ask for. */

import type { Mode } from "./tools";

/**
 * How far the session came, in its order: the visitor's browser has not answered, he is being asked, he shows his pages, the
 * first picture came, it is seen, it is over.
 */
export type Stage = "waiting" | "asking" | "started" | "received" | "visible" | "over";

const ORDER: readonly Stage[] = ["waiting", "asking", "started", "received", "visible", "over"];

/** What the page around may do here. */
export interface Steering {
  end(): void;
  choose(mode: Mode): void;
  /** Any colour that CSS knows; the next of ours without one. */
  colour(colour?: string): void;
}

/** Tells the page around. */
export interface Embedding {
  stage(stage: Stage): void;
  /** `#` and six hexadecimal digits. */
  colour(colour: string): void;
  /** What the visitor's page says. */
  message(data: unknown): void;
}

/**
 * Joins this page to the one around it, of this origin only where one is given; undefined where there is none around it.
 */
export type Embed = (page: Window, parent: string | null, steering: Steering) => Embedding | undefined;

/** Tells each stage once and in order, whatever a session leaves out; after a reload the one at which it stood. */
export class Progress {
  private at = -1;

  constructor(
    private readonly tell: (stage: Stage) => void,
    before: Stage | undefined,
  ) {
    this.reach(before ?? "waiting");
  }

  get stage(): Stage {
    return ORDER[this.at] ?? "waiting";
  }

  reach(stage: Stage): void {
    const to = ORDER.indexOf(stage);
    // Whoever need not be asked is not; and a session may end at any time.
    const isFirst = this.at < 0;
    const between = isFirst || stage === "over" ? [] : ORDER.slice(this.at + 1, to).filter((skipped) => skipped !== "asking");
    if (to <= this.at) return;
    this.at = to;
    for (const told of [...between, stage]) this.tell(told);
  }
}
