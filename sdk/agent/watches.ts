/** All visitors watched on one socket; watches again after each reconnect. */

import type { Connection } from "../core/connection";
import { comesAgain, type VestibuleError } from "../core/errors";
import type { EventPosition, VisitorEvent, VisitorEventData, WatchAnswer } from "./frames";
import { targetFields, Watch, WatchedVisitor, type VisitorTarget } from "./watch";

export class Watches {
  private readonly visitorById = new Map<string, WatchedVisitor>();
  /** Handles whose unique id the server has not resolved yet. */
  private readonly uniqueIdByWatch = new Map<Watch, string>();

  constructor(private readonly connection: Connection) {}

  open(target: VisitorTarget, onClose?: () => void): Watch {
    const fields = targetFields(target);
    let closed = false;
    const watch: Watch = new Watch(() => {
      closed = true;
      this.close(watch);
      onClose?.();
    });
    // A turn later, so that the caller can add handlers before the present state is told.
    void Promise.resolve().then(() => {
      if (closed) return;
      if ("visitorid" in fields) this.attach(watch, fields.visitorid, true);
      else {
        this.uniqueIdByWatch.set(watch, fields.uniqueid);
        this.resolve(watch, fields.uniqueid);
      }
    });
    return watch;
  }

  /** A new socket is open: everything is watched anew, under the ids that were resolved. */
  again(): void {
    for (const visitor of this.visitorById.values()) this.request(visitor, visitor.since);
    for (const [watch, uniqueid] of this.uniqueIdByWatch) this.resolve(watch, uniqueid);
  }

  take(event: VisitorEvent): void {
    const visitor = this.visitorById.get(event.visitorid);
    visitor?.take(event);
    if (visitor && event.type === "visitorjoined") {
      this.move(visitor, (event.data as VisitorEventData["visitorjoined"]).visitorid);
    }
  }

  /** The connection ended for good: every handle is told why. */
  fail(error: VestibuleError): void {
    for (const visitor of this.visitorById.values()) visitor.fail(error);
    for (const watch of this.uniqueIdByWatch.keys()) watch.fail(error);
  }

  private attach(watch: Watch, visitorid: string, ask: boolean): WatchedVisitor {
    let visitor = this.visitorById.get(visitorid);
    if (!visitor) {
      visitor = new WatchedVisitor(visitorid);
      this.visitorById.set(visitorid, visitor);
      if (ask) this.request(visitor);
    }
    visitor.add(watch);
    return visitor;
  }

  /** The server watches the visitor under the known id already, and tells his present state there. */
  private move(visitor: WatchedVisitor, visitorid: string): void {
    const known = this.visitorById.get(visitorid) ?? new WatchedVisitor(visitorid, visitor.view.renamed());
    this.visitorById.delete(visitor.visitorid);
    this.visitorById.set(visitorid, known);
    for (const watch of visitor.watches) known.watches.add(watch);
    known.taken();
  }

  /** `since`: the last event that is known, if this is not the first time. */
  private request(visitor: WatchedVisitor, since?: EventPosition): void {
    const { visitorid } = visitor;
    this.connection.request({ type: "watch", visitorid, ...(since && { since }) }).then(
      () => visitor.taken(),
      (error: VestibuleError) => {
        if (comesAgain(error)) return;
        if (this.visitorById.get(visitorid) === visitor) this.visitorById.delete(visitorid);
        visitor.fail(error);
      },
    );
  }

  private resolve(watch: Watch, uniqueid: string): void {
    this.connection.request<WatchAnswer>({ type: "watch", uniqueid }).then(
      ({ visitorid }) => {
        if (this.uniqueIdByWatch.delete(watch)) this.attach(watch, visitorid, false).taken();
        else if (!this.visitorById.has(visitorid)) this.connection.send({ type: "unwatch", visitorid });
      },
      (error: VestibuleError) => {
        if (!comesAgain(error) && this.uniqueIdByWatch.delete(watch)) watch.fail(error);
      },
    );
  }

  private close(watch: Watch): void {
    this.uniqueIdByWatch.delete(watch);
    for (const visitor of [...this.visitorById.values()]) {
      if (!visitor.watches.delete(watch) || visitor.watches.size) continue;
      this.visitorById.delete(visitor.visitorid);
      this.connection.send({ type: "unwatch", visitorid: visitor.visitorid });
    }
  }
}
