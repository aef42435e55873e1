/** The page's part in a session: the recorder is loaded on demand, and speaks through the frame's socket. */

import { Emitter } from "../../core/emitter";
import { browserEnvironment } from "../../core/environment";
import { VestibuleError } from "../../core/errors";
import type { Frame } from "../../core/frames";
import type { RequestOptions } from "../../core/requests";
import type { VisitorEvents } from "../../visitor/options";
import type { GuestHost, SessionGuest } from "../../visitor/session-host";
import type { ToFrame, ToPage } from "./messages";

interface Recorder {
  join(host: GuestHost, session: string): SessionGuest;
}

type Joining = Extract<ToPage, { say: "join" }>;
type Answer = Extract<ToPage, { say: "answer" }>;

export class PageSession {
  private guest: SessionGuest | undefined;
  private session: string | undefined;
  private last = 0;
  private readonly waiting = new Map<number, { resolve(frame: Frame): void; reject(error: Error): void }>();

  constructor(
    private readonly page: Window,
    private readonly origin: string,
    private readonly send: (message: ToFrame) => void,
  ) {}

  receive(message: ToPage): void {
    switch (message.say) {
      case "join":
        return void this.join(message);
      case "answer":
        return this.answered(message);
      case "welcomed":
        return this.guest?.welcomed();
      case "away":
        return this.guest?.away(message.paged);
      case "receive":
        return this.guest?.receive(message.frame);
      case "end":
        return this.end();
    }
  }

  /** The frame is gone, and with it who answers; another one says what runs. */
  lost(): void {
    this.guest?.away(false);
    for (const { reject } of this.waiting.values()) reject(new VestibuleError("connection"));
    this.waiting.clear();
  }

  end(): void {
    this.session = undefined;
    this.guest?.end();
    this.guest = undefined;
  }

  private async join({ session, tab, group }: Joining): Promise<void> {
    // While it is being loaded there is nobody to be told.
    if (this.session === session) return this.guest?.welcomed();
    this.end();
    this.session = session;
    const address = `${this.origin}/sdk/cobrowse.js`;
    try {
      const recorder = (await import(/* @vite-ignore */ address)) as Recorder;
      if (this.session === session) this.guest = recorder.join(this.hostOf(tab, group), session);
    } catch {
      this.session = undefined;
      this.send({ say: "problem", code: "SCRIPT_NOT_LOADED", message: address });
    }
  }

  private hostOf(tab: string, group: string): GuestHost {
    const { page, origin } = this;
    return {
      page,
      origin,
      group,
      environment: browserEnvironment,
      tab: () => tab,
      connection: {
        send: (frame) => {
          this.send({ say: "send", frame });
          return true;
        },
        request: <Sent extends Frame>(frame: { readonly type: string }, options?: RequestOptions) =>
          new Promise<Sent>((resolve, reject) => {
            this.waiting.set((this.last += 1), { resolve: resolve as (frame: Frame) => void, reject });
            this.send({ say: "request", number: this.last, frame, options });
          }),
      },
      events: new Emitter<VisitorEvents>(),
      sharing: {},
      problem: (code, message) => this.send({ say: "problem", code, message }),
    };
  }

  private answered({ number, answer, problem }: Answer): void {
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    if (problem) waiting?.reject(new VestibuleError(problem.code, problem.message));
    else if (answer) waiting?.resolve(answer);
  }
}
