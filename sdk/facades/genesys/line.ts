/** A controller's connection: the official client of CometD, and promises around what is used of it. */

import type { CometD, Message } from "cometd";
import { Emitter } from "../../core/emitter";
import { VestibuleError } from "../../core/errors";

export interface LineOptions {
  /** The address of the endpoint. */
  readonly url: string;
  /** What each request carries besides. */
  readonly headers: Readonly<Record<string, string>>;
  /** One of our tokens, fetched for each handshake; undefined where the server wants none. */
  token(): Promise<string | undefined>;
}

export interface LineEvents {
  /** The server had forgotten this client, or was another one: it shook hands anew, and is nobody there yet. */
  anew: undefined;
  /** It was away and is back, under its name: what was told meanwhile may not have come. */
  back: undefined;
  /** The connection ended for good. */
  lost: VestibuleError;
}

/** How long an answer may take, in milliseconds. */
const LIMIT_MS = 10_000;

export class Line {
  readonly events = new Emitter<LineEvents>();
  private token: string | undefined;
  private isOpen = false;
  private isClosing = false;
  private wasRefused = false;
  private isAway = false;

  constructor(
    private readonly cometd: CometD,
    private readonly options: LineOptions,
  ) {
    const { url, headers } = options;
    cometd.configure({ url, requestHeaders: headers, logLevel: "warn" });
    cometd.registerExtension("token", {
      outgoing: (message) => {
        // Also of those handshakes that the client repeats by itself.
        if (message.channel === "/meta/handshake" && this.token) message.ext = { ...message.ext, token: this.token };
        return message;
      },
    });
    cometd.addListener("/meta/handshake", (answer) => this.shook(answer));
    cometd.addListener("/meta/connect", ({ successful }) => this.connects(successful === true));
  }

  /** Shakes hands; rejected with what the server says, or with `connection`. */
  async open(): Promise<void> {
    this.token = await this.options.token();
    const answer = await new Promise<Message>((resolve) => this.cometd.handshake(resolve));
    if (!answer.successful) {
      await this.close();
      throw problem(answer);
    }
    this.isOpen = true;
  }

  /** Publishes, and gives what is answered on the same channel; rejected with the acknowledgement's error. */
  ask<Answer>(channel: string, data: object): Promise<Answer> {
    if (this.cometd.isDisconnected()) return Promise.reject(new VestibuleError("connection", "there is no connection"));
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.cometd.removeListener(listener);
      };
      const timer = setTimeout(() => {
        done();
        reject(new VestibuleError("timeout", `no answer on ${channel}`));
      }, LIMIT_MS);
      const listener = this.cometd.addListener(channel, (message) => {
        done();
        resolve(message.data as Answer);
      });
      this.cometd.publish(channel, data, (acknowledgement) => {
        if (acknowledgement.successful) return;
        done();
        reject(problem(acknowledgement));
      });
    });
  }

  /** Calls with each message of the server's on the channel. */
  hear<Data>(channel: string, listener: (data: Data) => void): void {
    this.cometd.addListener(channel, ({ data }) => data !== undefined && listener(data as Data));
  }

  /** Says goodbye, if there is somebody to say it to. */
  async close(): Promise<void> {
    if (this.isClosing) return;
    this.isClosing = true;
    this.isOpen = false;
    if (this.cometd.isDisconnected()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LIMIT_MS);
      this.cometd.disconnect(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private connects(successful: boolean): void {
    const isBack = this.isAway && successful;
    this.isAway = !successful;
    if (isBack && this.isOpen) this.events.emit("back", undefined);
  }

  private shook(answer: Message): void {
    if (!this.isOpen) return;
    if (answer.successful) {
      this.wasRefused = this.isAway = false;
      return this.events.emit("anew", undefined);
    }
    // The client goes on by itself unless it is told not to, as where the token is believed no longer.
    if (answer.advice?.reconnect !== "none") return;
    if (this.wasRefused) return this.lose(answer);
    this.wasRefused = true;
    this.again().catch(() => this.lose(answer));
  }

  /** Once more, with a fresh token. */
  private async again(): Promise<void> {
    const fresh = await this.options.token();
    if (!fresh || fresh === this.token) throw new VestibuleError("authorization");
    this.token = fresh;
    if (this.isOpen) this.cometd.handshake();
  }

  private lose(answer: Message): void {
    this.isOpen = false;
    this.events.emit("lost", problem(answer));
  }
}

const CODES: Readonly<Record<string, string>> = { "400": "badrequest", "401": "authorization", "403": "authorization", "404": "notfound", "429": "ratelimited", "503": "unready" };

/** What a message that did not succeed says: `code:arguments:text`; without one it was the network. */
function problem({ error }: Message): VestibuleError {
  if (!error) return new VestibuleError("connection", "the server could not be reached");
  return new VestibuleError(CODES[error.split(":", 1)[0] ?? ""] ?? "internal", error);
}
