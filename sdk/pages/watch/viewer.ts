/** What is seen of a session: the visitor's page, who is there, the tools. Knows nothing of how the agent came here. */

import { byId, findAll, redraw, setText, h } from "../shared/dom";
import { showOutage } from "../shared/outage";
import { wireHandOver } from "./hand-over";
import { Screen } from "./screen";
import type { Seat } from "./seat";
import { Tools, type Mode } from "./tools";
import { ended, notices, type Notice } from "./words";

export interface ViewerHost {
  /** A new ticket for the seat. */
  keep(ticket: string): void;
  /** The seat or the picture changed; `seen` tells whether the visitor's page is seen. */
  follow(seen: boolean): void;
  /** Other words than the usual ones. */
  words?(usual: Notice): Notice;
}

const stage = byId("stage");
const frame = byId("frame");
const surface = byId("surface");
/** Nothing is seen any more, and there is nothing to do. */
const OVER = ["ended", "badlink", "nobody", "superseded", "handed", "taken"];

export class Viewer {
  private readonly screen: Screen;
  private readonly tools: Tools;
  private scale = 1;
  private isFitted = true;

  constructor(
    private readonly seat: Seat,
    private readonly host: ViewerHost,
  ) {
    this.screen = new Screen(byId("pictures"), {
      lost: () => seat.tell({ type: "keyframe" }),
      shown: () => this.layOut(),
    });
    this.tools = new Tools({
      surface,
      scale: () => this.scale,
      scroll: () => this.screen.scroll,
      allows: (mode) => seat.standing === "live" && (mode === "draw" ? seat.permissions.draw : seat.permissions.point),
      tell: (message) => seat.tell(message),
    });
    seat.events.on("bytes", (bytes) => this.screen.receive(bytes));
    seat.events.on("ticket", (ticket) => host.keep(ticket));
    seat.events.on("changed", () => this.draw());
    this.wire();
  }

  get colour(): string {
    return this.tools.colour;
  }

  /** Chooses a tool, as the radio buttons show it. */
  choose(mode: Mode): void {
    this.tools.choose(mode);
    surface.dataset["mode"] = mode;
    for (const input of findAll<HTMLInputElement>("input[name=mode]")) input.checked = input.value === mode;
  }

  dye(colour: string): void {
    this.tools.colour = colour;
    for (const input of findAll<HTMLInputElement>("input[name=colour]")) input.checked = input.value === colour;
  }

  draw(): void {
    const { seat, screen } = this;
    const { standing } = seat;
    document.body.dataset["standing"] = standing;
    screen.assets = `${location.origin}/watch/assets/${seat.assets}`;
    const usual = seat.end ? ended(seat.end.reason, seat.end.text, window.parent === window) : notices[standing];
    const notice = this.host.words?.(usual) ?? usual;
    setText(byId("state"), notice.short);
    setText(byId("notice-title"), notice.title);
    setText(byId("notice-text"), notice.text);
    if (standing === "live" && !screen.size) {
      setText(byId("notice-title"), "The page is on its way");
      setText(byId("notice-text"), "One moment.");
    }
    // What was seen before the visitor paused or stopped is not to be seen on. Between two pages it is.
    if (!["live", "reconnecting", "connecting", "absent"].includes(standing) && screen.size) screen.clear();
    setText(byId("visitor"), standing === "idle" ? "Agent’s view" : seat.visitorid.startsWith("~") ? "A visitor" : seat.visitorid || "A visitor");
    document.title = `${notice.short} · ${byId("visitor").textContent}`;
    showOutage(seat.degraded, "What you see of the visitor may be old. It goes on by itself.");
    this.drawPages();
    this.drawTools();
    this.tellSeen();
  }

  private tellSeen(): void {
    const seen = this.seat.standing === "live" && this.screen.size !== undefined;
    byId("notice").hidden = seen;
    this.host.follow(seen);
  }

  private drawPages(): void {
    const { pages, members, user } = this.seat;
    const strip = byId("pages");
    strip.hidden = !pages.length || OVER.includes(this.seat.standing);
    redraw(strip, pages, () =>
      pages.map((page) =>
        h("li", { "data-epoch": page.epoch, "aria-current": page.shown && "true", title: page.url }, h("strong", {}, page.title || "Untitled"), " ", h("span", {}, place(page.url))),
      ),
    );
    const others = members.filter((member) => member.role === "agent" && member.user !== user);
    const names = others.map(({ name }) => name || "another agent").join(", ");
    setText(byId("others"), names && `with ${names}`);
  }

  private drawTools(): void {
    const { standing, permissions } = this.seat;
    byId("tools").hidden = standing === "idle" || OVER.includes(standing);
    if (OVER.includes(standing)) setText(byId("waiting"), "");
    for (const input of findAll<HTMLInputElement>("input[name=mode]")) {
      input.disabled = input.value === "draw" ? !permissions.draw : !permissions.point;
    }
    byId<HTMLFieldSetElement>("colours").disabled = !permissions.draw;
  }

  /** Fits the visitor's window into this one, or shows it in its own size. */
  private layOut(): void {
    const { size } = this.screen;
    frame.hidden = !size;
    this.tellSeen();
    if (!size) return;
    const { paddingLeft, paddingTop } = getComputedStyle(stage);
    const room = { width: stage.clientWidth - 2 * parseFloat(paddingLeft), height: stage.clientHeight - 2 * parseFloat(paddingTop) };
    const fits = Math.min(room.width / size.width, room.height / size.height, 1);
    this.scale = this.isFitted ? Math.max(0.05, fits) : 1;
    frame.style.width = `${size.width * this.scale}px`;
    frame.style.height = `${size.height * this.scale}px`;
    frame.style.setProperty("--scale", String(this.scale));
    frame.dataset["epoch"] = String(this.screen.epoch);
    setText(byId("zoom"), `${Math.round(this.scale * 100)} %`);
  }

  private wire(): void {
    const { seat } = this;
    for (const input of findAll<HTMLInputElement>("input[name=mode]")) input.addEventListener("change", () => this.choose(input.value as Mode));
    for (const input of findAll<HTMLInputElement>("input[name=colour]")) input.addEventListener("change", () => this.dye(input.value));
    const fit = byId("fit");
    fit.addEventListener("click", () => {
      this.isFitted = !this.isFitted;
      fit.setAttribute("aria-pressed", String(this.isFitted));
      stage.classList.toggle("full-size", !this.isFitted);
      this.layOut();
    });
    const ending = byId<HTMLDialogElement>("ending");
    byId("end").addEventListener("click", () => ending.showModal());
    ending.addEventListener("close", () => {
      if (ending.returnValue === "end") void seat.ask({ type: "end" }).catch(() => {});
      ending.returnValue = "";
    });
    wireHandOver(seat);
    new ResizeObserver(() => this.layOut()).observe(stage);
    window.addEventListener("pagehide", () => seat.suspend());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) seat.resume();
    });
    window.addEventListener("online", () => seat.wake());
  }
}

function place(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return host + (pathname === "/" ? "" : pathname);
  } catch {
    return url;
  }
}
