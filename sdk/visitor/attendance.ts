/** Ties a visitor's connection to the life and the address of its page, while it is wanted. */

import type { Connection } from "../core/connection";
import type { Clock, TimerHandle } from "../core/environment";
import type { ClientFrame } from "../core/frames";
import { Lifecycle } from "../core/lifecycle";
import { watchAddress } from "./changes";

export class Attendance {
  private readonly lifecycle: Lifecycle;
  private readonly endings: (() => void)[] = [];

  /** `update` is called every `updateMs`, and soon after the page's address may have changed. */
  constructor(page: Window | undefined, clock: Clock, connection: Connection, updateMs: number, update: () => void) {
    this.lifecycle = new Lifecycle(page, {
      suspend: () => connection.suspend(),
      resume: () => connection.resume(),
      visibility: (visible) => void (visible ? connection.wake(this.visibility()) : connection.send(this.visibility())),
      activity: () => void connection.send({ type: "activity" }),
      // Telling the visibility again changes nothing, so it serves to test the socket.
      wake: () => connection.wake(this.visibility()),
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

  get visible(): boolean {
    return this.lifecycle.visible;
  }

  end(): void {
    for (const end of this.endings) end();
  }

  private visibility(): ClientFrame {
    return { type: "visibility", visibility: this.visible ? "visible" : "hidden" };
  }
}
