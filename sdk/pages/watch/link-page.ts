/** What the page of a link does beside showing the visitor's page: it tells the page around it, and leads on at the end. */

import { byId, find, findAll } from "../shared/dom";
import { nextColour, plainColour } from "./colours";
import { Progress, type Embed, type Embedding, type Stage } from "./embedding";
import type { KeptLink } from "./kept-link";
import type { Seat } from "./seat";
import type { Mode } from "./tools";
import type { Standing } from "./words";

/** What of the page may be steered. */
export interface LinkPageHost {
  readonly seat: Seat;
  choose(mode: Mode): void;
  colour(): string;
  dye(colour: string): void;
}

/** Where another try may help. */
const TROUBLED: readonly Standing[] = ["badlink", "nobody", "superseded", "taken", "declined", "reconnecting"];
const UNLUCKY = /^(?:declined|usertimeout|networktimeout|neverjoined)$/;

export class LinkPage {
  private readonly progress: Progress;
  private readonly embedding: Embedding | undefined;
  private readonly ring = findAll<HTMLInputElement>("input[name=colour]").map(({ value }) => value);
  private hasPicture = false;
  private isOver = false;

  constructor(
    private readonly link: KeptLink,
    private readonly host: LinkPageHost,
    embed: Embed,
  ) {
    const { naked, retry_url, parent } = link.terms;
    document.body.dataset["naked"] = String(naked);
    if (naked) find<HTMLLinkElement>("link[rel=icon]")?.remove();
    const retry = byId<HTMLAnchorElement>("retry");
    if (retry_url) retry.href = retry_url;
    this.embedding = embed(window, parent, {
      end: () => void host.seat.ask({ type: "end" }).catch(() => {}),
      choose: (mode) => host.choose(mode),
      colour: (colour) => this.recolour(colour),
    });
    this.progress = new Progress((stage) => {
      link.keep({ stage });
      this.embedding?.stage(stage);
    }, link.stage);
    this.embedding?.colour(host.colour());
    host.seat.events.on("message", (data) => this.embedding?.message(data));
    host.seat.events.on("bytes", () => {
      this.hasPicture = true;
      this.follow(false);
    });
  }

  /** The seat or the picture changed; `seen` tells whether the visitor's page is seen. */
  follow(seen: boolean): void {
    const { seat } = this.host;
    this.progress.reach(this.stage(seen));
    const reason = seat.end?.reason ?? "";
    const { retry_url } = this.link.terms;
    byId("retry").hidden = !retry_url || !(TROUBLED.includes(seat.standing) || UNLUCKY.test(reason));
    if (seat.end && !this.isOver) this.leave();
  }

  private stage(seen: boolean): Stage {
    const { seat } = this.host;
    if (["ended", "badlink", "nobody", "superseded", "taken", "handed"].includes(seat.standing)) return "over";
    if (seat.consent === "asked") return "asking";
    if (seat.view === "off") return "waiting";
    if (!this.hasPicture) return "started";
    return seen ? "visible" : "received";
  }

  private leave(): void {
    this.isOver = true;
    const { on_end_url, closes } = this.link.terms;
    if (on_end_url) return location.replace(on_end_url);
    // Browsers close what a script opened, and nothing else.
    if (closes && window.parent === window) window.close();
  }

  private recolour(colour: string | undefined): void {
    const next = colour === undefined ? nextColour(this.ring, this.host.colour()) : plainColour(colour);
    if (next === undefined) return;
    this.host.dye(next);
    this.embedding?.colour(next);
  }
}
