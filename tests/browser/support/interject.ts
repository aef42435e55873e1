/** Puts words between those that the real server says on a page's sockets: of what does not happen to it in these tests. */

import type { BrowserContext, WebSocketRoute } from "playwright-core";

export class Interjection {
  private readonly sockets: WebSocketRoute[] = [];

  /** On the sockets at this path that the person's pages open from now on. */
  static async at(context: BrowserContext, path: string): Promise<Interjection> {
    const interjection = new Interjection();
    await context.routeWebSocket((url) => url.pathname === path, (socket) => {
      socket.connectToServer();
      interjection.sockets.push(socket);
    });
    return interjection;
  }

  /** How many sockets there were. */
  get count(): number {
    return this.sockets.length;
  }

  say(frame: object): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(frame));
  }
}
