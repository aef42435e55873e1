/** Ties a visitor's connection to the life and the address of its page, while it is wanted. */

import type { Connection } from "../core/connection";
import type { Clock, TimerHandle } from "../core/environment";
import { Lifecycle } from "../core/lifecycle";
import { watchAddress } from "./changes";

export class Attendance {
  private readonly lifecycle: Lifecycle;
  private readonly endings: (() => void)[] = [];
  /** How often it was to be told whether the page is visible. */
  private told = 0;

  /** `update` is called every `updateMs`, and soon after the page's address may have changed. */
  constructor(page: Window | undefined, clock: Clock, private readonly connection: Connection, updateMs: number, update: () => void) {
    this.lifecycle = new Lifecycle(page, {
      suspend: () => connection.suspend(),
      resume: () => connection.resume(),
      visibility: (visible) => this.tell(visible),
      activity: () => void connection.send({ type: "activity" }),
      // Telling the visibility again changes nothing, so it serves to test the socket.
      wake: () => this.tell(true),
    });
    let timer: TimerHandle;
    const schedule = (): void => {
      timer = clock.after(updateMs, () => {
        update();
        schedule();
      });
    };
    schedule();
    this.endings.push(
      () => this.lifecycle.dispose(),
      () => clock.cancel(timer),
    );
    if (page) this.endings.push(watchAddress(page, clock, update));
  }

  /** Whether the page may hold a socket. */
  get active(): boolean {
    return this.lifecycle.active;
  }

  /** Whether the page is visible, for a hello. */
  hello(): boolean {
    this.told += 1;
    return this.lifecycle.visible;
  }

  end(): void {
    this.told += 1;
    for (const end of this.endings) end();
  }

  /** Tells the server whether the page is visible, until it knows; for a page that woke up that tests the socket. */
  private tell(woken: boolean): void {
    const { connection } = this;
    if (woken) connection.wake();
    // The next hello tells it, unless that is on its way already.
    if (connection.state !== "connected" && connection.state !== "greeting") return;
    const number = (this.told += 1);
    const once = async (): Promise<void> => {
      // It was told, or is being told, once more.
      if (number !== this.told) return;
      const frame = { type: "visibility", visibility: this.lifecycle.visible ? "visible" : "hidden" };
      await (woken ? connection.test(frame) : connection.request(frame));
    };
    // Refused for another reason than the server's state or its limits it is not told again before it changes.
    connection.insist(once).catch(() => {});
  }
}
