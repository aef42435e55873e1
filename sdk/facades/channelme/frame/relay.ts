/** A session of the visitor: the page around the frame takes part, and speaks through the frame's socket. */

import { codeOf } from "../../../core/errors";
import type { Frame } from "../../../core/frames";
import type { EnterAnswer, SessionEventFrame } from "../../../cobrowse/frames";
import type { GuestHost, SessionGuest } from "../../../visitor/session-host";
import type { ToFrame, ToPage } from "../messages";

/** What a page may say in a session; through the frame it says nothing else. */
const SAYS: readonly string[] = ["enter", "navigate", "activity", "consent", "pause", "endsession", "message"];

export class Relay {
  private host: GuestHost | undefined;
  private session = "";

  constructor(
    private readonly send: (message: ToPage) => void,
    /** Agents see the page. */
    private readonly shown: (session: string) => void,
    /** The page came in; the code, if one leads there. */
    private readonly entered: (code: string | undefined) => void = () => {},
  ) {}

  /** For the visitor's SDK: what takes part in a session. */
  readonly join = (host: GuestHost, session: string): SessionGuest => {
    this.host = host;
    this.session = session;
    this.send({ say: "join", session, tab: host.tab(), group: host.group });
    return {
      welcomed: () => this.send({ say: "welcomed" }),
      away: (paged) => this.send({ say: "away", paged }),
      receive: (frame) => {
        const { event } = frame as SessionEventFrame;
        if (frame.type === "sessionevent" && event.what === "view" && event.state === "on") this.shown(session);
        this.send({ say: "receive", frame });
      },
      end: () => {
        this.host = undefined;
        this.send({ say: "end" });
      },
    };
  };

  receive(message: Extract<ToFrame, { say: "request" | "send" | "problem" }>): void {
    const { host } = this;
    if (message.say === "problem") return host?.problem(message.code, message.message);
    const { frame } = message;
    const may = typeof frame === "object" && frame !== null && SAYS.includes(frame.type);
    if (message.say === "send") {
      if (may) host?.connection.send(frame);
      return;
    }
    const { number, options } = message;
    if (!host || !may) return this.send({ say: "answer", number, problem: { code: "notfound", message: "there is no session" } });
    host.connection.request<Frame>(frame, options).then(
      (answer) => {
        if (frame.type === "enter") {
          const { view, code } = answer as EnterAnswer;
          if (view === "on") this.shown(this.session);
          this.entered(code);
        }
        this.send({ say: "answer", number, answer });
      },
      (error: Error) => this.send({ say: "answer", number, problem: { code: codeOf(error, "internal"), message: error.message } }),
    );
  }
}
