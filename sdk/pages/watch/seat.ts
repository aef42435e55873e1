/** The agent's seat in the session: its socket, and what is known by it. Draws nothing. */

import { socketAddress } from "../../core/address";
import type { Ending } from "../../core/codes";
import type { ConnectionState } from "../../core/connection-options";
import { Emitter } from "../../core/emitter";
import { browserEnvironment, type Environment } from "../../core/environment";
import type { ClientFrame, DegradedFrame, ErrorFrame, Frame } from "../../core/frames";
import { Stream } from "../../core/stream";
import { membersAfter, type ConsentState, type EndReason, type Member, type Permissions, type SessionEventFrame, type SessionPage, type ViewState } from "../../cobrowse/frames";
import type { Standing } from "./words";

interface SeatWelcome extends Frame {
  readonly session: string;
  readonly user: number;
  readonly visitorid: string;
  readonly view: ViewState;
  readonly consent: ConsentState;
  readonly pages: readonly SessionPage[];
  readonly members: readonly Member[];
  readonly permissions: Permissions;
  /** For this tab's reloads. */
  readonly ticket: string;
  /** Names the session's assets. */
  readonly assets: string;
}

interface SeatEvents {
  /** Something of the seat's fields changed. */
  changed: undefined;
  /** A new ticket for this seat. */
  ticket: string;
  /** A message of the stream. */
  bytes: Uint8Array;
  /** The visitor's page says something. */
  message: unknown;
  /** The server let go of parts that were on their way: a key frame follows. */
  gap: undefined;
}

/** What became of a ticket that gives no seat, by the server's word. */
const REFUSALS: Readonly<Record<string, "nobody" | "taken">> = { visitornotpresent: "nobody", toomany: "taken" };

export class Seat {
  readonly events = new Emitter<SeatEvents>();
  visitorid = "";
  user = 0;
  view: ViewState = "off";
  consent: ConsentState = "unasked";
  pages: readonly SessionPage[] = [];
  members: readonly Member[] = [];
  permissions: Permissions = { point: false, draw: false, control: false };
  assets = "";
  /** What the nodes share is away: what is seen may be old. */
  degraded = false;
  end: { readonly reason?: EndReason; readonly text?: string } | undefined;
  private readonly stream: Stream;
  private wasHere = false;
  /** The word for what the server refused last, before it gave a seat. */
  private problem = "";
  private refused: "badlink" | "nobody" | "superseded" | "handed" | "taken" | undefined;
  private isStarted = false;
  private ticket: string | undefined;

  constructor(
    tab: string,
    origin: string,
    environment: Environment = browserEnvironment,
  ) {
    this.stream = new Stream({
      environment,
      url: () => `${socketAddress(origin, "/v1/stream", "").split("?", 1)[0]}`,
      active: () => true,
      hello: () => ({ type: "hello", ticket: this.ticket ?? "", tab }),
      onWelcome: (frame) => this.welcomed(frame as SeatWelcome),
      onFrame: (frame) => this.receive(frame),
      onBytes: (bytes) => this.events.emit("bytes", bytes),
      onState: (state, ending) => this.stateChanged(state, ending),
    });
  }

  /** Takes the seat by this ticket, once. */
  start(ticket: string | undefined): void {
    this.isStarted = true;
    this.ticket = ticket;
    if (ticket) {
      this.events.emit("changed", undefined);
      return this.stream.start();
    }
    this.refused = "badlink";
    this.events.emit("changed", undefined);
  }

  /** The page is being left, perhaps for the back-forward cache. */
  suspend(): void {
    this.stream.suspend();
  }

  resume(): void {
    this.stream.resume();
  }

  wake(): void {
    this.stream.wake({ type: "keyframe" });
  }

  get standing(): Standing {
    if (!this.isStarted) return "idle";
    if (this.end) return "ended";
    if (this.refused) return this.refused;
    if (this.stream.state !== "connected") return this.wasHere ? "reconnecting" : "connecting";
    if (this.view === "on") return this.pages.length ? "live" : "absent";
    if (this.view === "paused") return "paused";
    return this.consent === "asked" ? "asking" : this.consent === "declined" ? "declined" : "absent";
  }

  /** What may be lost is sent only when it can be sent now. */
  tell(frame: ClientFrame): void {
    this.stream.send(frame);
  }

  /** Resolves when the session knows. */
  ask(frame: ClientFrame): Promise<unknown> {
    return this.stream.request(frame);
  }

  private welcomed(frame: SeatWelcome): void {
    this.wasHere = true;
    this.ticket = frame.ticket;
    this.visitorid = frame.visitorid;
    this.user = frame.user;
    this.view = frame.view;
    this.consent = frame.consent;
    this.pages = frame.pages;
    this.members = frame.members;
    this.permissions = frame.permissions;
    this.assets = frame.assets;
    this.events.emit("ticket", frame.ticket);
    this.events.emit("changed", undefined);
  }

  private receive(frame: Frame): void {
    if (frame.type === "gap") return this.events.emit("gap", undefined);
    if (frame.type === "degraded") return this.degrade((frame as DegradedFrame).degraded);
    if (frame.type === "error") this.problem = (frame as ErrorFrame).code;
    if (frame.type !== "sessionevent") return;
    const { event } = frame as SessionEventFrame;
    if (event.what === "message") return this.events.emit("message", event.data);
    this.members = membersAfter(this.members, event);
    if (event.what === "view") this.view = event.state;
    if (event.what === "consent" && event.to === "view") this.consent = event.state;
    if (event.what === "pages") this.pages = event.pages;
    if (event.what === "left" && event.user === this.user && event.reason === "transferred") this.refused = "handed";
    if (event.what === "ended") this.end = { reason: event.reason, ...(event.text && { text: event.text }) };
    this.events.emit("changed", undefined);
  }

  private degrade(degraded: boolean): void {
    this.degraded = degraded;
    this.events.emit("changed", undefined);
  }

  private stateChanged(state: ConnectionState, ending?: Ending): void {
    // The welcome says how it stands.
    if (state === "connected") return;
    this.degraded = false;
    if (state === "closed" && !this.end && !this.refused) {
      const { number, code } = ending ?? { number: 0, code: "" };
      // 4508: the session is over; who comes after that hears nothing else.
      if (number === 4508 && this.wasHere) this.end = {};
      else if (code === "superseded") this.refused = "superseded";
      else this.refused = REFUSALS[this.problem] ?? "badlink";
    }
    this.events.emit("changed", undefined);
  }
}
