/** `slave.html`: the watch page under the name that desktops know, with a field for the session's id where they have none. */

import { pageIdentity } from "../../core/identity";
import { byId, setText } from "../../pages/shared/dom";
import { Seat } from "../../pages/watch/seat";
import { Viewer } from "../../pages/watch/viewer";
import { notices, type Notice } from "../../pages/watch/words";
import { readAddress, sessionToken, writeAddress } from "./slave-address";
import { askSeat, endOf, keepSeat, readSeat } from "./slave-seat";

/** What the server says in the page: whose agents come, and how. */
interface SlaveFacts {
  readonly group: string | null;
  readonly trust: "off" | "code" | "token";
}

const OVER = ["ended", "badlink", "superseded", "taken", "nobody"];
const CLOSED = "Agents cannot come in here: the group’s settings have genesys = \"off\", or name no group for this page.";
const NEEDS_TICKET = "This server lets agents in by a token. Your desktop has to open this page with a ticket.";

export class SlavePage {
  private readonly facts = JSON.parse(document.body.dataset["link"] || `{"group":null,"trust":"off"}`) as SlaveFacts;
  private readonly address = readAddress(location.hash);
  private readonly store = storage();
  private readonly seat: Seat;
  private readonly viewer: Viewer;
  private readonly tab: string;
  private readonly form = byId<HTMLFormElement>("sid-form");
  private readonly field = byId<HTMLInputElement>("sid");
  private readonly usesKept: boolean;
  private ticket: string | undefined;
  /** The id of the session that is shown. */
  private sid: string | undefined;
  private isAsking = false;
  /** Whether there is a seat, or was one until now. */
  private isShowing = true;
  private problem = "";

  constructor() {
    const { address } = this;
    this.sid = address.sid;
    const kept = readSeat(this.store, this.sid);
    this.usesKept = kept !== undefined && (!address.ticket || kept.by === endOf(address.ticket));
    this.ticket = this.usesKept ? kept?.ticket : address.ticket;
    this.tab = (this.usesKept && kept?.tab) || pageIdentity().tab;
    this.seat = new Seat(this.tab, location.origin);
    this.viewer = new Viewer(this.seat, { keep: (ticket) => this.keep(ticket), follow: () => this.follow(), words: (usual) => this.words(usual) });
  }

  open(): void {
    document.body.dataset["compact"] = "";
    // Others could read a ticket there.
    if (this.address.ticket) this.rewrite();
    byId("hand-over").hidden = true;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener("input", () => this.complain(""));
    window.addEventListener("hashchange", () => location.reload());
    this.seat.events.on("changed", () => this.log(this.seat.standing));
    this.viewer.draw();
    if (this.ticket) this.seat.start(this.ticket);
    else if (this.sid !== undefined && this.facts.trust === "code") this.submit(this.sid);
    else this.focus();
  }

  private submit(text = this.field.value): void {
    const sid = sessionToken(text);
    this.field.value = text;
    if (sid) void this.join(sid);
    else this.complain("A session ID has nine digits.");
  }

  private async join(sid: string): Promise<void> {
    this.sid = sid;
    this.isAsking = true;
    this.complain("");
    try {
      const ticket = await askSeat(location.href, sid, this.facts.group);
      this.log("seat", sid);
      if (this.seat.standing !== "idle") return this.anew(ticket);
      this.isAsking = false;
      this.rewrite();
      this.seat.start(ticket);
    } catch (error) {
      this.isAsking = false;
      this.complain(error instanceof Error ? error.message : "");
    }
  }

  /** A page shows one session; the next one begins with a page that has seen none. */
  private anew(ticket: string): void {
    keepSeat(this.store, this.sid, { ticket, tab: this.tab, by: undefined });
    this.rewrite();
    location.reload();
  }

  private rewrite(): void {
    const { hasOwnField, debug } = this.address;
    history.replaceState(null, "", `${location.pathname}${location.search}${writeAddress({ sid: this.sid, hasOwnField, debug })}`);
  }

  private keep(ticket: string): void {
    keepSeat(this.store, this.sid, { ticket, tab: this.tab, by: endOf(this.address.ticket) });
  }

  private follow(): void {
    const { standing } = this.seat;
    const isOver = OVER.includes(standing);
    if (isOver && this.isShowing) {
      this.isShowing = false;
      keepSeat(this.store, this.sid, undefined);
      this.field.value = "";
    }
    // What was kept is of a session that is gone, or of a server that has forgotten it.
    if (standing === "badlink" && this.usesKept && this.facts.trust === "code") return location.reload();
    this.form.hidden = this.address.hasOwnField || this.facts.trust !== "code" || !(isOver || standing === "idle");
    byId<HTMLButtonElement>("sid-join").disabled = this.isAsking;
  }

  private words(usual: Notice): Notice {
    const { trust } = this.facts;
    if (this.seat.standing === "badlink") return { ...usual, title: "This session cannot be opened here", text: "The way in is too old, or was used elsewhere. Open the session anew." };
    if (this.seat.standing === "ended" && trust === "code" && !this.address.hasOwnField) return { ...usual, text: `${usual.text.replace(notices.ended.text, "").trim()} Another one can be joined here.`.trim() };
    if (this.seat.standing !== "idle") return usual;
    if (trust === "off") return { short: "No access", title: "No access", text: CLOSED };
    if (trust === "token") return { short: "No access", title: "No access", text: NEEDS_TICKET };
    if (this.isAsking) return { short: "Joining", title: "Joining the session", text: "One moment." };
    if (!this.address.hasOwnField) return { ...usual, title: "Which session?", text: "The customer reads out its nine digits." };
    if (this.problem) return { short: "No access", title: "The session cannot be opened", text: this.problem };
    return { ...usual, text: "Your desktop opens one here." };
  }

  private complain(problem: string): void {
    this.problem = problem;
    setText(byId("sid-error"), problem);
    this.field.setAttribute("aria-invalid", String(problem !== ""));
    if (problem) this.log(problem);
    this.viewer.draw();
    if (problem) this.focus();
  }

  /** In a frame the desktop keeps its focus, unless a person was typing here. */
  private focus(): void {
    if (!this.form.hidden && (window.parent === window || document.hasFocus())) this.field.select();
  }

  private log(...words: unknown[]): void {
    if (this.address.debug) console.info("slave.html:", ...words);
  }
}

export function openSlavePage(): void {
  new SlavePage().open();
}

function storage(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}
