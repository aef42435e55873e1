/** The watch page: shows the visitor's page to an agent, who holds a ticket for this session and nothing else. */

import { pageIdentity } from "../../core/identity";
import { embeddedIn } from "../../facades/upscope/embedded";
import { byId, findAll, redraw, setText, h } from "../shared/dom";
import { wireHandOver } from "./hand-over";
import { KeptLink } from "./kept-link";
import { forgetTicket, keepTicket, takeTicket } from "./link";
import { LinkPage } from "./link-page";
import { Screen } from "./screen";
import { Seat } from "./seat";
import { Tools, type Mode } from "./tools";
import { ended, notices } from "./words";

const stage = byId("stage");
const frame = byId("frame");
const surface = byId("surface");
const link = KeptLink.of(window, pageIdentity().tab);
const seat = link ? new Seat(link.ticket, link.tab, location.origin) : new Seat(takeTicket(window), pageIdentity().tab, location.origin);
const screen = new Screen(byId("pictures"), {
  lost: () => seat.tell({ type: "keyframe" }),
  shown: () => layOut(),
});
let scale = 1;
let isFitted = true;

const tools = new Tools({
  surface,
  scale: () => scale,
  scroll: () => screen.scroll,
  allows: (mode) => seat.standing === "live" && (mode === "draw" ? seat.permissions.draw : seat.permissions.point),
  tell: (message) => seat.tell(message),
});

seat.events.on("bytes", (bytes) => screen.receive(bytes));
seat.events.on("ticket", (ticket) => (link ? link.keep({ ticket }) : keepTicket(window, ticket)));
seat.events.on("changed", () => draw());

function draw(): void {
  const { standing } = seat;
  document.body.dataset.standing = standing;
  screen.assets = `${location.origin}/watch/assets/${seat.assets}`;
  const notice = seat.end ? ended(seat.end.reason, seat.end.text, window.parent === window) : notices[standing];
  setText(byId("state"), notice.short);
  setText(byId("notice-title"), notice.title);
  setText(byId("notice-text"), notice.text);
  byId("notice").hidden = standing === "live" && screen.size !== undefined;
  if (standing === "live" && !screen.size) {
    setText(byId("notice-title"), "The page is on its way");
    setText(byId("notice-text"), "One moment.");
  }
  // What was seen before the visitor paused or stopped is not to be seen on. Between two pages it is.
  if (!["live", "reconnecting", "connecting", "absent"].includes(standing) && screen.size) screen.clear();
  if (!link && ["ended", "badlink", "handed"].includes(standing)) forgetTicket(window);
  setText(byId("visitor"), seat.visitorid.startsWith("~") ? "A visitor" : seat.visitorid || "A visitor");
  document.title = `${notice.short} · ${byId("visitor").textContent}`;
  drawPages();
  drawTools();
  linkPage?.follow(standing === "live" && screen.size !== undefined);
}

function drawPages(): void {
  const strip = byId("pages");
  strip.hidden = !seat.pages.length;
  redraw(strip, seat.pages, () =>
    seat.pages.map((page) =>
      h("li", { "data-epoch": page.epoch, "aria-current": page.shown && "true", title: page.url }, h("strong", {}, page.title || "Untitled"), " ", h("span", {}, place(page.url))),
    ),
  );
  const others = seat.members.filter(({ role, user }) => role === "agent" && user !== seat.user);
  const names = others.map(({ name }) => name || "another agent").join(", ");
  setText(byId("others"), names && `with ${names}`);
}

function drawTools(): void {
  const isOver = ["ended", "badlink", "nobody", "superseded", "handed"].includes(seat.standing);
  byId("tools").hidden = isOver;
  if (isOver) setText(byId("waiting"), "");
  for (const input of findAll<HTMLInputElement>("input[name=mode]")) {
    input.disabled = input.value === "draw" ? !seat.permissions.draw : !seat.permissions.point;
  }
  byId<HTMLFieldSetElement>("colours").disabled = !seat.permissions.draw;
}

function place(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return host + (pathname === "/" ? "" : pathname);
  } catch {
    return url;
  }
}

/** Fits the visitor's window into this one, or shows it in its own size. */
function layOut(): void {
  const { size } = screen;
  frame.hidden = !size;
  byId("notice").hidden = seat.standing === "live" && size !== undefined;
  linkPage?.follow(seat.standing === "live" && size !== undefined);
  if (!size) return;
  const { paddingLeft, paddingTop } = getComputedStyle(stage);
  const room = { width: stage.clientWidth - 2 * parseFloat(paddingLeft), height: stage.clientHeight - 2 * parseFloat(paddingTop) };
  const fits = Math.min(room.width / size.width, room.height / size.height, 1);
  scale = isFitted ? Math.max(0.05, fits) : 1;
  frame.style.width = `${size.width * scale}px`;
  frame.style.height = `${size.height * scale}px`;
  frame.style.setProperty("--scale", String(scale));
  frame.dataset.epoch = String(screen.epoch);
  setText(byId("zoom"), `${Math.round(scale * 100)} %`);
}

/** Chooses a tool, as the radio buttons show it. */
function choose(mode: Mode): void {
  tools.choose(mode);
  surface.dataset.mode = mode;
  for (const input of findAll<HTMLInputElement>("input[name=mode]")) input.checked = input.value === mode;
}

function dye(colour: string): void {
  tools.colour = colour;
  for (const input of findAll<HTMLInputElement>("input[name=colour]")) input.checked = input.value === colour;
}

for (const input of findAll<HTMLInputElement>("input[name=mode]")) input.addEventListener("change", () => choose(input.value as Mode));
for (const input of findAll<HTMLInputElement>("input[name=colour]")) input.addEventListener("change", () => dye(input.value));
const linkPage = link && new LinkPage(link, { seat, choose, dye, colour: () => tools.colour }, embeddedIn);
const fit = byId("fit");
fit.addEventListener("click", () => {
  isFitted = !isFitted;
  fit.setAttribute("aria-pressed", String(isFitted));
  stage.classList.toggle("full-size", !isFitted);
  layOut();
});
const ending = byId<HTMLDialogElement>("ending");
byId("end").addEventListener("click", () => ending.showModal());
ending.addEventListener("close", () => {
  if (ending.returnValue === "end") void seat.ask({ type: "end" }).catch(() => {});
  ending.returnValue = "";
});
wireHandOver(seat);
new ResizeObserver(layOut).observe(stage);
window.addEventListener("pagehide", () => seat.suspend());
window.addEventListener("pageshow", (event) => {
  if (event.persisted) seat.resume();
});
window.addEventListener("online", () => seat.wake());
// A further link, opened in this tab.
window.addEventListener("hashchange", () => {
  if (location.hash.length > 1) location.reload();
});
draw();
seat.start();
