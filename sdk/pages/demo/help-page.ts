/** The help page: a short code to read out to an agent, with its time running down. */

import { byThrees, minutesAndSeconds } from "../shared/format";
import { byId, setText } from "../shared/dom";
import type { VisitorObject } from "../shared/glance";
import { report, story } from "./presence";

const WARN_SECONDS = 60;

export function openWithCode(visitor: VisitorObject): void {
  const box = byId("code-box");
  const digits = byId("code");
  const left = byId("code-left");
  const extend = byId<HTMLButtonElement>("code-extend");
  const again = byId<HTMLButtonElement>("code-again");
  let life = 300;
  let ends = 0;

  const state = (name: "waiting" | "live" | "expired"): void => {
    box.dataset["code"] = name;
    extend.hidden = name !== "live" || visitor.extendUnique === undefined;
    again.hidden = name !== "expired";
  };

  const start = (seconds: number): void => {
    life = seconds;
    ends = Date.now() + seconds * 1000;
    state("live");
    tick();
  };

  const tick = (): void => {
    if (box.dataset["code"] !== "live") return;
    const seconds = (ends - Date.now()) / 1000;
    box.classList.toggle("soon", seconds <= WARN_SECONDS);
    setText(left, seconds > 0 ? `Good for another ${minutesAndSeconds(seconds)}` : "Running out");
  };
  setInterval(tick, 500);

  const ask = (): void => {
    state("waiting");
    setText(digits, "··· ···");
    setText(left, "Getting a code");
    visitor.connectUnique({ data: story.data });
  };

  const mark = (uniqueid: string): void => {
    document.getElementById("presence-badge")?.setAttribute("data-unique-id", uniqueid);
    document.dispatchEvent(new CustomEvent("presencechange"));
  };

  visitor.onuniqueid = (uniqueid, seconds) => {
    setText(digits, byThrees(uniqueid));
    digits.dataset["uniqueId"] = uniqueid;
    digits.setAttribute("aria-label", uniqueid.split("").join(" "));
    mark(uniqueid);
    start(Number(seconds) || life);
  };
  visitor.onclose = () => {
    state("expired");
    mark("");
    delete digits.dataset["uniqueId"];
    setText(digits, "––– –––");
    setText(left, "This code has run out. You are still on the line with us if you get a new one.");
    visitor.connect();
    report();
  };
  extend.addEventListener("click", () => {
    visitor.extendUnique?.();
    start(life);
  });
  again.addEventListener("click", ask);
  ask();
}
