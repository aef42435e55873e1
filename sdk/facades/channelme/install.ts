/** Puts the global `site_connect` in place (`channelme.md` 1 and 2). */

import { Broker, type Handler } from "./broker";
import { Connect } from "./connect";

/** What a page may call; the table in `docs/compatibility.md` has the same. */
export interface SiteConnect {
  subscribe(topic: string, message: Handler, acknowledge?: () => void): string | undefined;
  unsubscribe(subscription: string): void;
  publish(topic: string, message?: unknown): void;
  /** Connects for this partner, or for the one that the page's elements name. May be repeated. */
  start(partner?: string | number): void;
  stop_session(): void;
}

/** Its text becomes the code. */
const ELEMENT = "wwwchannelme";

const warn = (message: string): void => console.warn("site_connect:", message);

/** The words that the page gives in place of ours, as a JSON object; the frame takes those that it knows. */
function ownWords(json: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (json === undefined) return undefined;
  try {
    const words: unknown = JSON.parse(json);
    if (typeof words === "object" && words !== null) return words as Readonly<Record<string, unknown>>;
  } catch {
    // Told below.
  }
  return void warn("data-words is no JSON object");
}

/** Loaded twice it installs once. `script` is the tag that brings it: its address names the server. */
export function install(page: Window, script: HTMLScriptElement | null): void {
  const globals = page as unknown as { site_connect?: SiteConnect };
  if (globals.site_connect) return;
  const { document } = page;
  const { origin } = new URL(script?.src || page.location.href, page.location.href);
  let connect: Connect | undefined;
  let code: string | undefined;
  /** The page ended the session before it was connected. */
  let isStopWanted = false;

  const element = (): HTMLElement | null => document.getElementById(ELEMENT);
  const show = (): void => {
    const place = element();
    if (place && code !== undefined && place.textContent !== code) place.textContent = code;
  };
  /** The other partner's code leads nowhere from here on: nobody is to read it out. */
  const withdraw = (): void => {
    const place = element();
    if (place && code !== undefined && place.textContent === code) place.textContent = "";
    code = undefined;
  };
  const broker = new Broker(
    {
      subscribe: (filter) => connect?.send({ say: "subscribe", filter }),
      unsubscribe: (filter) => connect?.send({ say: "unsubscribe", filter }),
      publish: (topic, data) => {
        if (connect) connect.send({ say: "publish", topic, data });
        else warn(`cannot publish to ${topic} before start()`);
      },
    },
    { replays: script?.dataset["noReplay"] === undefined, warn, later: (run) => setTimeout(run) },
  );
  const start = (given?: string | number): void => {
    const partner = String(given ?? script?.dataset["code"] ?? element()?.dataset["code"] ?? connect?.partner ?? "");
    if (connect?.partner !== partner) {
      connect?.end();
      withdraw();
      connect = new Connect({
        page,
        origin,
        partner,
        words: ownWords(script?.dataset["words"]),
        broker,
        warn,
        shown(got) {
          code = got;
          show();
        },
      });
    }
    connect.start();
    if (isStopWanted) connect.send({ say: "stop" });
    isStopWanted = false;
    show();
  };

  globals.site_connect = {
    subscribe(topic, message, acknowledge) {
      connect?.buttons.named(topic);
      return broker.subscribe(topic, message, acknowledge);
    },
    unsubscribe: (subscription) => broker.unsubscribe(subscription),
    publish: (topic, message) => broker.publish(topic, message),
    start,
    stop_session() {
      if (connect) connect.send({ say: "stop" });
      else isStopWanted = true;
    },
  };
  if (script?.dataset["noInit"] !== undefined) return;
  if (document.body && document.readyState !== "loading") start();
  else document.addEventListener("DOMContentLoaded", () => start(), { once: true });
}
