/** Tells the server the visitor's record, until it knows. */

import type { Connection } from "../core/connection";
import type { Clock } from "../core/environment";
import { isMistake, type VestibuleError } from "../core/errors";
import type { PresenceData } from "../core/limits";
import { Pause } from "../core/pause";
import type { PresenceRecord } from "./record";

export class Telling {
  /** Whether anything is told of the visitor at all. */
  isWanted = false;
  /** For as long as the server said when it refused. */
  private readonly pause: Pause;

  constructor(
    private readonly record: PresenceRecord,
    private readonly connection: Connection,
    clock: Clock,
    /** Told of what is refused for good while nobody waits for it. */
    private readonly fail: (error: VestibuleError) => void,
  ) {
    this.pause = new Pause(clock, () => this.update());
  }

  /** Tells `data`, or the whole record. Rejected as a request is; then all is told once more, later. */
  async tell(data?: PresenceData): Promise<void> {
    const { record, connection } = this;
    const frame = { type: "presence", data: data ? record.update(data) : record.whole() };
    let isSent = false;
    try {
      await connection.persist(async () => {
        // A new hello carries the whole record, so nothing is told twice.
        if (isSent) return;
        isSent = true;
        await connection.request(frame);
      });
    } catch (error) {
      record.untold();
      const { retryMs } = error as VestibuleError;
      if (retryMs) this.pause.begin(retryMs);
      throw error;
    }
  }

  /** Tells what the server may not know. What it cannot take now it is told later, as it is by then. */
  update(): void {
    const { record } = this;
    if (this.pause.isOn || !this.isWanted || !this.connection.isOpen || record.isKnown) return;
    this.tell(record.isComplete ? {} : undefined).catch((error: VestibuleError) => {
      // It would be refused again, until it changes.
      if (isMistake(error)) record.whole();
      if (!error.retryMs) this.fail(error);
    });
  }

  /** The connection has ended. */
  end(): void {
    this.pause.end();
  }
}
