/** An agent's desktop that shows a visitor's page in a frame of its own, with the snippets of the seed. */

import type { Frame } from "playwright-core";
import { type Looks, Framing, opened } from "./framing";
import { GROUP } from "./settings";
import type { Stage } from "./stage";

/** As printed, with its one comment; the snippet reads the frame, so it runs when the page stands. */
export const LISTENING = `const upscopeWindow = document.getElementById('upscope-iframe').contentWindow;
window.addEventListener('message', event => {
  if (!event.source || event.source !== upscopeWindow)
    return;
  const {data} = event;
  // ... deal with the Upscope event
  console.log('Upscope event type',data.type);
});`;

/** As printed, but for what is to be sent. */
export const instructing = (message: string): string => `const upscopeWindow = document.getElementById('upscope-iframe').contentWindow;
upscopeWindow.postMessage(${message}, '*');`;

/** As printed: never closed, so that what follows it in a page would be its text. Scripts stand before it. */
export const frameTag = (address: string): string => `<iframe src="${address}" id="upscope-iframe"/>`;

/** Tells the test what came from the frame. */
const NOTING = `window.addEventListener('message', ({ data, source }) => {
  if (source === document.getElementById('upscope-iframe').contentWindow) note('desktop', data.type ?? 'other', data);
});`;

export interface LinkWish {
  readonly permissions?: object;
  readonly branding?: object;
  readonly metadata?: object;
  readonly parent_origin?: string;
}

export class Desktop extends Framing {
  /** Opens a desktop whose frame shows this address. */
  static async open(stage: Stage, address: string, options: Pick<Looks, "dark" | "size"> = {}): Promise<Desktop> {
    const head = `<script type="module">${LISTENING}</script><script type="module">${NOTING}</script>`;
    return new Desktop(...(await opened(stage, "desktop", { head, body: frameTag(address), ...options })));
  }

  /** Opens one on a new link to the visitor's page. */
  static async on(stage: Stage, visitorid: string, wish: LinkWish = { branding: { naked: "page_only" } }): Promise<Desktop> {
    return Desktop.open(stage, await watchLink(stage, visitorid, wish));
  }

  /** The statuses so far. */
  get statuses(): string[] {
    return this.journal.all("sessionStatusUpdate").map(({ sessionStatus }) => sessionStatus);
  }

  async status(expected: string): Promise<void> {
    await this.journal.next("sessionStatusUpdate", ({ sessionStatus }) => sessionStatus === expected);
  }

  /** Sends an instruction by the seed's own snippet. */
  async instruct(message: object): Promise<void> {
    await this.page.evaluate(`{ ${instructing(JSON.stringify(message))} }`);
  }

  /** What the frame's page shows. */
  sees(selector: string): Promise<Frame> {
    return this.view.sees(selector);
  }

  async reload(): Promise<void> {
    const loaded = this.frame.waitForNavigation();
    await this.frame.evaluate(() => location.reload());
    await loaded;
  }
}

/** A link to a visitor's page, as a back end makes it. */
export async function watchLink(stage: Stage, visitorid: string, wish: LinkWish = {}): Promise<string> {
  const { status, body } = await stage.server.rest("POST", `/groups/${GROUP}/watch-links`, await stage.token(), { visitorid, ...wish });
  if (status !== 201) throw new Error(`no link: ${status} ${JSON.stringify(body)}`);
  return new URL(body.watch_url, stage.server.origin).href;
}
