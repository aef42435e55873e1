/** The visitor's presence and contact code: asked for with the connection, once more after each session, and kept alive. */

import { readEnding } from "../../../core/codes";
import { browserEnvironment, type Clock, type Environment, type TimerHandle } from "../../../core/environment";
import { codeOf } from "../../../core/errors";
import type { Connection } from "../../../core/connection";
import type { Part } from "../../../core/part";
import type { UniqueAnswer } from "../../../visitor/frames";
import type { Visitor } from "../../../visitor/visitor";

export interface ContactNews {
  code(code: string): void;
  /** There is none; `isFinal` when to ask again is in vain. */
  failed(reason: string, isFinal: boolean): void;
}

/** Refusals that stay what they are. */
const FINAL: readonly string[] = ["group", "origin", "signature", "badrequest"];

export class Contact implements Part {
  private code: string | undefined;
  /** Until the server has taken the hello, the page decides when to try again, and hears of each failure. */
  private isBeginning = false;
  /** Counts the tries: of an earlier one, nothing matters any more. */
  private attempt = 0;
  private timer: TimerHandle;
  private readonly connection: Connection;

  constructor(
    private readonly visitor: Visitor,
    private readonly clock: Clock,
    private readonly news: ContactNews,
  ) {
    this.connection = visitor.attach(this);
    // The server wants this connection no more, and the SDK does not come back by itself.
    visitor.on("error", ({ code }) => {
      if (!this.isBeginning && visitor.state === "closed") this.news.failed(code, FINAL.includes(code));
    });
    visitor.on("sessionend", () => void this.ask());
  }

  welcomed(): void {
    // From here on the SDK comes back by itself: to be ended for a loss would end a session, too.
    this.isBeginning = false;
    // In a session another code would be one too many.
    if (this.code === undefined || this.visitor.session === undefined) void this.ask();
  }

  receive(): boolean {
    return false;
  }

  /** Connects, or tries once more. */
  begin(): void {
    const { state } = this.visitor;
    const isOff = state === "idle" || state === "closed";
    if (!isOff && !this.isBeginning) return void this.ask();
    if (!isOff) this.visitor.disconnect();
    this.isBeginning = true;
    this.attempt += 1;
    // Present, and no more: who listens takes the visitor's signals from the page's own scripts.
    this.visitor.presence().catch(() => {
      // Told by the socket's end.
    });
  }

  /** A step of the present try, to be told of when it fails: its socket, or what that needs. */
  begins(): (reason: string) => void {
    const { attempt } = this;
    return (reason) => {
      if (attempt === this.attempt) this.lost(reason);
    };
  }

  private lost(reason: string): void {
    if (!this.isBeginning) return;
    this.isBeginning = false;
    // The SDK would try for ever, and at times of its own.
    this.visitor.disconnect();
    this.news.failed(reason, FINAL.includes(reason));
  }

  private async ask(): Promise<void> {
    try {
      const frame = { type: "unique", contact: true };
      const { uniqueid, seconds } = await this.connection.persist(() => this.connection.request<UniqueAnswer>(frame));
      this.code = uniqueid;
      this.clock.cancel(this.timer);
      this.timer = this.clock.after(seconds * 500, () => void this.ask());
      this.news.code(uniqueid);
    } catch (error) {
      const reason = codeOf(error, "internal");
      if (reason === "closed" || reason === "connection") return;
      this.news.failed(reason, FINAL.includes(reason));
    }
  }
}

/** The browser's environment, which tells why each socket ended: to whoever was asked when it was opened. */
export function watched(opens: () => (reason: string) => void): Environment {
  return {
    ...browserEnvironment,
    open(url) {
      const lost = opens();
      const socket = new WebSocket(url);
      socket.addEventListener("close", ({ code, reason }) => lost(readEnding(code, reason).code));
      return socket as unknown as ReturnType<Environment["open"]>;
    },
  };
}
