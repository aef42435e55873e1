/** What the page reports, and nobody waits for. It outlasts a lost connection and a server that is away, but not for long. */

import type { Connection } from "../core/connection";
import type { Clock } from "../core/environment";
import { isMistake, type VestibuleError } from "../core/errors";
import type { ClientFrame, TermsStatus } from "../core/frames";
import { Pause } from "../core/pause";

/** Most that are on their way at a time. */
const MOST_SENT = 16;
/** Most in all; of those that wait the oldest go first. */
const MOST = 48;
/** What waits for longer is dropped. */
const KEPT_MS = 60_000;

interface Report {
  readonly frame: ClientFrame;
  /** Of one that tells how it stands with the terms. */
  readonly terms: TermsStatus | undefined;
  readonly until: number;
  isSent?: boolean;
  /** The connection went before the answer came. */
  isLost?: boolean;
}

export class Reports {
  /** Those without an answer, in the order in which they were made; what was sent is among the first. */
  private reports: Report[] = [];
  private terms: TermsStatus | undefined;
  /** For as long as the server said when it refused one. */
  private readonly pause: Pause;

  constructor(
    private readonly connection: Connection,
    private readonly clock: Clock,
    /** Told of what is wrong with a report itself. */
    private readonly fail: (error: VestibuleError) => void,
  ) {
    this.pause = new Pause(clock, () => this.go());
  }

  /** Reports `frame`; `terms`, where it tells of them: of those only the last word counts. */
  say(frame: ClientFrame, terms?: TermsStatus): void {
    const { reports } = this;
    if (terms) this.terms = terms;
    reports.push({ frame, terms, until: this.clock.now() + KEPT_MS });
    if (reports.length > MOST) reports.splice(reports.findIndex(({ isSent }) => !isSent), 1);
    this.go();
  }

  /** The server took a hello, and knows this of the terms. */
  welcomed(terms: TermsStatus | null): void {
    this.keep((report) => !report.isLost || report.terms !== terms);
    this.go();
  }

  /** The connection has ended: what waits ends with it. */
  end(): void {
    this.reports = [];
    this.pause.end();
  }

  private keep(isKept: (report: Report) => unknown): void {
    this.reports = this.reports.filter(isKept);
  }

  private go(): void {
    const now = this.clock.now();
    this.keep(({ isSent, until, terms }) => isSent || (until > now && (!terms || terms === this.terms)));
    for (const report of this.reports.slice(0, MOST_SENT)) {
      if (!report.isSent && !this.pause.isOn && this.connection.isOpen) void this.send(report);
    }
  }

  private async send(report: Report): Promise<void> {
    const { frame, terms } = report;
    report.isSent = true;
    try {
      await this.connection.request(frame, { limitMs: KEPT_MS });
    } catch (caught) {
      const error = caught as VestibuleError;
      report.isLost = error.code === "connection";
      // Of others that were lost watchers may have been told, and would be again; of these the server knows.
      report.isSent = !error.retryMs && !(report.isLost && (terms || frame.type === "failed"));
      if (error.retryMs) this.pause.begin(error.retryMs);
      if (isMistake(error)) this.fail(error);
    }
    if (report.isSent) this.keep((other) => other !== report);
    this.go();
  }
}
