/** The page that talks by `site_connect`: the code, chat buttons, and a list of all that is said. */

import type { SiteConnect } from "../../facades/channelme/install";
import { byId, findAll, h, setText } from "../shared/dom";
import { clock } from "../shared/format";
import { wireCart } from "./cart";

declare const site_connect: SiteConnect | undefined;

const MOST = 200;

function start(connect: SiteConnect): void {
  const box = byId("code-box");
  const note = byId("code-left");
  const again = byId<HTMLButtonElement>("code-again");
  const stop = byId<HTMLButtonElement>("stop");
  const heard = byId("heard");
  const chats = findAll<HTMLButtonElement>("[data-chat]");

  const state = (name: "waiting" | "live" | "failed", words: string): void => {
    box.dataset["code"] = name;
    setText(note, words);
    again.hidden = name !== "failed";
  };
  connect.subscribe("~/site_connect/ready", () => state("live", "Good for one look at this page"));
  connect.subscribe("~/site_connect/new_code", () => state("live", "A new one, for the next time"));
  connect.subscribe("~/site_connect/retry", () => state("waiting", "The line is busy. Trying again"));
  connect.subscribe("~/site_connect/error", () => state("failed", "Nobody can be reached just now"));
  again.addEventListener("click", () => {
    state("waiting", "Getting a code");
    connect.start();
  });

  connect.subscribe("~pagesession/cobrowsing/start", () => (stop.disabled = false));
  connect.subscribe("~pagesession/cobrowsing/stop", () => (stop.disabled = true));
  stop.addEventListener("click", () => connect.stop_session());

  const answered = (): void => void (byId("talk-note").hidden = chats.some((button) => !button.disabled));
  for (const button of chats) {
    const id = button.dataset["chat"] as string;
    const set = (isAnswered: boolean): void => {
      button.disabled = !isAnswered;
      answered();
    };
    connect.subscribe(`~/site_connect/chat_button/${id}/enabled`, () => set(true));
    connect.subscribe(`~/site_connect/chat_button/${id}/disabled`, () => set(false));
    button.addEventListener("click", () => connect.publish("~pagesession/chat/trigger", id));
  }

  connect.subscribe("#", (topic, message) => {
    const text = message === undefined ? "" : JSON.stringify(message);
    heard.append(h("li", { "data-topic": topic }, h("time", {}, clock(Date.now())), h("span", { class: "topic" }, topic), text && h("span", { class: "message" }, text)));
    while (heard.childElementCount > MOST) heard.firstElementChild?.remove();
    heard.scrollTop = heard.scrollHeight;
  });
  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const message = byId<HTMLInputElement>("say-message").value;
    connect.publish(byId<HTMLInputElement>("say-topic").value, message === "" ? undefined : message);
  });
}

wireCart();
if (typeof site_connect === "undefined") setText(byId("code-left"), "This server does not offer it");
else start(site_connect);
