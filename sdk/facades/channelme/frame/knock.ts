/** The frame's end of the channel: knocks, and takes what the page around it answers. */

import { CHANNEL, isOfChannel, type Greeting, type Knock } from "../messages";

/**
 * `opened` is called once, with the port that the page around the frame gives; anybody else's is passed over. A frame that
 * stands in no page waits for ever.
 */
export function knock(page: Window, group: string | undefined, mayHold: (origin: string) => boolean, opened: (port: MessagePort, greeting: Greeting) => void): void {
  const around = page.parent;
  if (around === page) return;
  const hear = ({ source, origin, data, ports }: MessageEvent<unknown>): void => {
    const port = ports[0];
    if (source !== around || !mayHold(origin) || !isOfChannel(data) || !port) return;
    page.removeEventListener("message", hear);
    opened(port, data as Greeting);
  };
  page.addEventListener("message", hear);
  // There is nothing in it that anybody could use; who answers is looked at.
  around.postMessage({ channel: CHANNEL, ...(group !== undefined && { group }) } satisfies Knock, "*");
}
