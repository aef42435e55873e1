/** The official JavaScript client, under Node. */

import { adapt } from "cometd-nodejs-client";
import { AckExtension, CometD, type Message } from "cometd";
import { createServer, connect, type AddressInfo, type Server as TcpServer, type Socket } from "node:net";
import { once } from "node:events";
import { mintToken } from "./settings";

adapt();

export type Transport = "websocket" | "long-polling";

/** What the tests' clients may do: broadcast, on all channels. */
export const clientToken = (): string =>
  mintToken({ scope: "read session control topics", topics: { publish: ["#"], subscribe: ["#"] } });

export class Client {
  readonly cometd = new CometD();
  /** What came on channels that were subscribed to, in order. */
  readonly heard: unknown[] = [];
  /** What came on `/meta/…`, by channel. */
  readonly meta: Message[] = [];
  private readonly waiting = new Set<() => void>();

  constructor(origin: string, transport: Transport, { acks = false }: { acks?: boolean } = {}) {
    for (const other of ["websocket", "long-polling"] as const) {
      if (other !== transport) this.cometd.unregisterTransport(other);
    }
    this.cometd.configure({ url: `${origin}/cobrowse/cometd`, logLevel: "warn", backoffIncrement: 100, maxNetworkDelay: 5000 });
    if (acks) this.cometd.registerExtension("ack", new AckExtension());
    for (const channel of ["handshake", "connect", "disconnect", "unsuccessful"]) {
      this.cometd.addListener(`/meta/${channel}`, (message) => this.note(() => this.meta.push(message)));
    }
  }

  /** Handshakes, and waits for the answer to the first connect. */
  async open(): Promise<this> {
    this.cometd.handshake({ ext: { token: clientToken() } });
    await this.until("the first connect", () => this.count("/meta/connect") > 0);
    return this;
  }

  async subscribe(channel: string): Promise<Message> {
    return this.ask((answer) => this.cometd.subscribe(channel, ({ data }) => this.note(() => this.heard.push(data)), answer));
  }

  publish(channel: string, data: unknown): Promise<Message> {
    return this.ask((answer) => this.cometd.publish(channel, data as object, answer));
  }

  async leave(): Promise<Message> {
    return this.ask((answer) => this.cometd.disconnect(answer));
  }

  /** Successful answers on a channel so far. */
  count(channel: string): number {
    return this.meta.filter((message) => message.channel === channel && message.successful).length;
  }

  /** Waits until something holds, asked again with each message that comes. */
  async until(what: string, holds: () => boolean, limitMs = 15_000): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return;
        this.waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`${what} did not come about: ${JSON.stringify({ heard: this.heard, meta: this.meta.slice(-4) })}`));
      }, limitMs);
      this.waiting.add(look);
    });
  }

  private note(add: () => void): void {
    add();
    for (const look of [...this.waiting]) look();
  }

  private ask(send: (answer: (message: Message) => void) => void): Promise<Message> {
    return new Promise((resolve) => send(resolve));
  }
}

/** A line between client and server that tests can cut. */
export class Line {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(private readonly tcp: TcpServer) {}

  static async to(host: string): Promise<Line> {
    const [address = "", port = "0"] = host.split(":");
    const tcp = createServer();
    const line = new Line(tcp);
    tcp.on("connection", (near) => {
      if (line.isCut) return void near.destroy();
      const far = connect(Number(port), address);
      for (const [one, other] of [[near, far], [far, near]] as const) {
        line.sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          line.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    return line;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.tcp.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.tcp.close();
    await once(this.tcp, "close");
  }
}
