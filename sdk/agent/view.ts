/** What a page knows of one visitor: decides which events are news. Pure; no socket, no clock. */

import type { EventPosition, VisitorEvent, VisitorEventData } from "./frames";

export class VisitorView {
  private epoch = 0;
  private sequence = 0;
  connection: VisitorEventData["visitorconn"] | undefined;
  sockets: VisitorEventData["visitorsock"] | undefined;

  /** The last event that is known; before all others when there is none. */
  get position(): EventPosition {
    return { epoch: this.epoch, sequence: this.sequence };
  }

  /** Takes an event in; false when it is old or repeats what is known. */
  accept(event: VisitorEvent): boolean {
    if (!this.advance(event)) return false;
    if (event.type === "visitorconn") return this.acceptConnection(event.data as VisitorEventData["visitorconn"]);
    if (event.type !== "visitorsock") return true;
    return this.acceptSockets(event.data as VisitorEventData["visitorsock"], !!event.present);
  }

  /** The visitor goes on under another id: what is known stays, the order is that of the other record. */
  renamed(): VisitorView {
    const view = new VisitorView();
    view.connection = this.connection;
    view.sockets = this.sockets;
    return view;
  }

  private advance({ epoch, sequence = 0, present }: VisitorEvent): boolean {
    // A failed call has no order. Neither has the state of a visitor without a record: it is true
    // all the same, whatever was known of an earlier one.
    if (!epoch) return true;
    const order = epoch - this.epoch || sequence - this.sequence;
    if (present ? order < 0 : order <= 0) return false;
    this.epoch = epoch;
    this.sequence = sequence;
    return true;
  }

  private acceptConnection(data: VisitorEventData["visitorconn"]): boolean {
    const repeated = this.connection?.connected === data.connected;
    this.connection = data;
    return !repeated;
  }

  /** The present state's `connected` sums up; an event's tells of one socket. Only the count compares. */
  private acceptSockets(data: VisitorEventData["visitorsock"], present: boolean): boolean {
    const known = this.sockets;
    const repeated = known?.sockets === data.sockets && (present || known.connected === data.connected);
    if (!repeated) this.sockets = data;
    return !repeated;
  }
}
