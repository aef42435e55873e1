/**
 * An interaction of the desktop, a chat or a call, and the sessions that it has one after the other: keeps what is to be
 * attached to it, and closes the session with it.
 */

import { Emitter } from "../../core/emitter";
import { VestibuleError } from "../../core/errors";
import { changes, whenActivated, whenDeactivated, whenJoined, type AttachedData } from "./attached";
import { Controller, type ControllerOptions } from "./controller";
import { startOf } from "./start-message";

/**
 * Why a session of an interaction is over: customer or agent left it and the interaction goes on, or the interaction was
 * transferred, timed out, or closed.
 */
export type Closing = "exited" | "transferred" | "timedout" | "closed";

export interface InteractionEvents {
  /** These keys are to be written into the interaction's attached data. */
  attach: AttachedData;
  /** A session is over; `data` is all that is attached then. */
  over: { readonly why: Closing; readonly data: AttachedData };
  /** The connection was lost for good: what becomes of the session is not heard. */
  lost: VestibuleError;
}

export class Interaction {
  readonly events = new Emitter<InteractionEvents>();
  private controller: Controller | undefined;
  private closing: Exclude<Closing, "exited"> | undefined;
  private joining: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly options: ControllerOptions,
    /** What is attached so far, as to an interaction that came from another desktop. */
    private attached: AttachedData = {},
  ) {}

  /** All that is attached. */
  get data(): AttachedData {
    return this.attached;
  }

  /** Whether a session runs. */
  get hasSession(): boolean {
    return this.controller !== undefined;
  }

  /** Looks at a message of the chat: joins the session that it asks for, and gives the agents' page; else undefined. */
  async hear(message: string): Promise<string | undefined> {
    const token = startOf(message);
    return token === undefined ? undefined : this.join(token);
  }

  /**
   * Joins the session with this token; gives the address of the agents' page, which the desktop loads now and not before.
   * One session at a time: `taken` while another one runs.
   */
  join(sessionToken: string): Promise<string> {
    if (this.controller) return Promise.reject(new VestibuleError("taken", "the interaction has a session"));
    const page = this.enter(sessionToken);
    this.joining = page.catch(() => {});
    return page;
  }

  private async enter(sessionToken: string): Promise<string> {
    const controller = new Controller(sessionToken, this.options);
    this.controller = controller;
    this.closing = undefined;
    let isIn = false;
    controller.events.on("entered", (history) => {
      isIn = true;
      this.attach(whenJoined(this.attached, history));
    });
    controller.events.on("activated", (time) => this.attach(whenActivated(this.attached, time)));
    controller.events.on("deactivated", (over) => {
      this.attach(whenDeactivated(this.attached, over));
      this.controller = undefined;
      this.events.emit("over", { why: this.closing ?? "exited", data: this.attached });
    });
    controller.events.on("lost", (error) => {
      if (this.controller === controller) this.controller = undefined;
      this.events.emit("lost", error);
    });
    try {
      await controller.join();
      return await controller.agentPage();
    } catch (error) {
      if (this.controller === controller) {
        this.controller = undefined;
        if (isIn) this.attach(whenDeactivated(this.attached, {}));
      }
      await controller.leave();
      throw error;
    }
  }

  /**
   * The interaction ends for this desktop: the session ends with it, since none is transferred. Gives all that is attached,
   * which is to be written before the interaction is let go; where the server cannot be reached `lost` is told as well.
   */
  async close(why: Exclude<Closing, "exited">): Promise<AttachedData> {
    await this.joining;
    this.closing = why;
    const { controller } = this;
    await controller?.stop().catch((error: VestibuleError) => {
      this.controller = undefined;
      this.attach(whenDeactivated(this.attached, {}));
      this.events.emit("lost", error);
      void controller.leave();
    });
    return this.attached;
  }

  private attach(data: AttachedData): void {
    const news = changes(this.attached, data);
    this.attached = data;
    if (Object.keys(news).length) this.events.emit("attach", news);
  }
}
