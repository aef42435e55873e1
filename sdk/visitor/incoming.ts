/** What the server sends a page unasked: signals, calls of functions, the focus. */

import type { Emitter } from "../core/emitter";
import { VestibuleError } from "../core/errors";
import type { ClientFrame, HelpNews } from "../core/frames";
import type { InvokeFrame, VisitorFrame } from "./frames";
import { callFunction } from "./functions";
import type { Inbox } from "./inbox";
import type { VisitorEvents } from "./options";

export class Incoming {
  /** Whether this page gets the visitor's signals. */
  focused = false;
  /** The visitor's wish for help, while it waits or an agent has it. */
  help: HelpNews | undefined;

  constructor(
    private readonly inbox: Inbox,
    private readonly events: Emitter<VisitorEvents>,
    /** Where functions are looked up. */
    private readonly root: object,
    private readonly report: (frame: ClientFrame) => void,
  ) {}

  receive(frame: VisitorFrame): void {
    switch (frame.type) {
      case "signal":
        return this.inbox.take(frame, () => this.events.emit("signal", { id: frame.id, data: frame.data }));
      case "invoke":
        return this.inbox.take(frame, () => void this.call(frame));
      case "focus":
      case "blur":
        return this.focus(frame.type === "focus");
      case "help":
        return this.helped(frame);
      case "error":
        this.events.emit("error", new VestibuleError(frame.code, frame.msg, frame.field, frame.retry_ms, frame.degraded));
    }
  }

  /** It stands so; without news there is no wish any more. */
  helped(news: HelpNews | undefined): void {
    const before = this.help;
    // One that ended while this page was away.
    const { help, status, agent } = news ?? { ...before, status: "unavailable" as const };
    if (help === undefined || (before?.help === help && before.status === status)) return;
    const now = { help, status, ...(agent && { agent }) };
    this.help = status === "pending" || status === "accepted" ? now : undefined;
    this.events.emit("help", now);
  }

  focus(focused: boolean): void {
    if (this.focused === focused) return;
    this.focused = focused;
    this.events.emit(focused ? "focus" : "blur", undefined);
  }

  private async call({ id, func, args }: InvokeFrame): Promise<void> {
    this.events.emit("invoke", { id, func, args });
    const failure = await callFunction(this.root, func, args);
    if (failure) this.report({ type: "failed", id, ...failure });
  }
}
