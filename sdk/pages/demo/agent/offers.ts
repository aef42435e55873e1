/** Seats in sessions that other agents hand to this one. */

import type { SessionOffer } from "../../../agent";
import { byId, h, redraw } from "../../shared/dom";
import { note } from "./log";
import { joinSession, onOffer } from "./native";
import { codeOf, explain } from "./reasons";

const waiting = new Map<string, { offer: SessionOffer; problem: string; timer: ReturnType<typeof setTimeout> }>();

function drop(session: string): void {
  clearTimeout(waiting.get(session)?.timer);
  waiting.delete(session);
  draw();
}

function draw(): void {
  const offers = [...waiting.values()];
  const section = byId("offers");
  section.hidden = !offers.length;
  redraw(section, offers.map(({ offer, problem }) => [offer, problem]), () => offers.map(({ offer, problem }) => row(offer, problem)));
}

function row({ session, visitorid, from }: SessionOffer, problem: string): HTMLElement {
  const take = h("button", { type: "button", class: "button small primary", "data-action": "take-over" }, "Take over");
  const leave = h("button", { type: "button", class: "button small" }, "Not now");
  take.addEventListener("click", () => takeOver(session));
  leave.addEventListener("click", () => drop(session));
  const who = visitorid.startsWith("~") ? "a visitor" : visitorid;
  const words = h("p", {}, h("strong", {}, from || "Another agent"), " hands the session with ", h("strong", {}, who), " over to you.");
  return h("div", { class: "offer", "data-session": session }, words, problem && h("p", { class: "form-error" }, problem), take, leave);
}

function takeOver(session: string): void {
  // Opened now, by the click: a browser opens no window for an answer that comes later.
  const tab = window.open("about:blank", "_blank");
  joinSession(session).then(
    ({ watchUrl }) => {
      tab?.location.replace(watchUrl);
      if (tab) return drop(session);
      fail(session, "The browser opened no tab. Allow windows for this page, then try again.");
    },
    (error: unknown) => {
      tab?.close();
      const code = codeOf((error as { code?: string }).code ?? error);
      fail(session, code === "notfound" ? "This session is over." : explain(code));
    },
  );
}

function fail(session: string, problem: string): void {
  const entry = waiting.get(session);
  if (entry) entry.problem = problem;
  draw();
}

/** An offer is shown until it is taken, put aside, or over. */
export function wireOffers(): void {
  onOffer((offer) => {
    note("event", offer.visitorid, "sessionoffer", offer);
    clearTimeout(waiting.get(offer.session)?.timer);
    const timer = setTimeout(() => drop(offer.session), Math.min(offer.until - Date.now(), 2 ** 31 - 1));
    waiting.set(offer.session, { offer, problem: "", timer });
    draw();
  });
}
