/** All live lists on one socket; asked for anew after each reconnect. */

import type { Connection } from "../core/connection";
import { comesAgain, type VestibuleError } from "../core/errors";
import type { RowsFrame } from "./frames";
import { VisitorList } from "./list";
import type { ListQuery } from "./list-query";

interface Listed {
  readonly list: VisitorList;
  /** Questions that are not answered. What comes before the last answer belongs to what was shown before. */
  unanswered: number;
}

export class Lists {
  private readonly listedByNumber = new Map<number, Listed>();
  private last = 0;

  constructor(private readonly connection: Connection) {}

  open(query: ListQuery, onClose?: () => void): VisitorList {
    const number = (this.last += 1);
    const list = new VisitorList(
      query,
      () => this.ask(number),
      () => {
        this.close(number);
        onClose?.();
      },
    );
    this.listedByNumber.set(number, { list, unanswered: 0 });
    this.ask(number);
    return list;
  }

  /** A new socket is open: every list begins anew. */
  again(): void {
    for (const number of this.listedByNumber.keys()) this.ask(number);
  }

  take(frame: RowsFrame): void {
    const listed = this.listedByNumber.get(frame.list);
    if (listed?.unanswered === 0) listed.list.take(frame);
  }

  /** The connection ended for good: every list is told why. */
  fail(error: VestibuleError): void {
    for (const { list } of this.listedByNumber.values()) list.fail(error);
  }

  private ask(number: number): void {
    const listed = this.listedByNumber.get(number);
    if (!listed) return;
    listed.unanswered += 1;
    this.connection.request({ type: "list", list: number, ...listed.list.query }).then(
      () => (listed.unanswered -= 1),
      (error: VestibuleError) => {
        listed.unanswered -= 1;
        if (comesAgain(error) || this.listedByNumber.get(number) !== listed) return;
        this.close(number);
        listed.list.fail(error);
      },
    );
  }

  private close(number: number): void {
    if (this.listedByNumber.delete(number)) this.connection.send({ type: "unlist", list: number });
  }
}
