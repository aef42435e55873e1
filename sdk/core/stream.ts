/** A connection that carries bytes beside its JSON frames: the socket of the live view. */

import { Connection } from "./connection";
import type { ConnectionOptions, ConnectionState } from "./connection-options";
import type { SocketLike } from "./environment";
import type { ClientFrame, Frame } from "./frames";
import type { RequestOptions } from "./requests";

/** The further part of a browser's `WebSocket` that is used here. */
export interface StreamSocket extends SocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  addEventListener(event: "message", handler: (event: { data: unknown }) => void): void;
}

export interface StreamOptions extends ConnectionOptions {
  /** A binary message. */
  onBytes?(bytes: Uint8Array): void;
}

export class Stream {
  private readonly connection: Connection;
  private socket: StreamSocket | undefined;

  constructor(options: StreamOptions) {
    const { environment } = options;
    const open = (url: string): SocketLike => {
      const socket = environment.open(url) as StreamSocket;
      socket.binaryType = "arraybuffer";
      socket.addEventListener("message", ({ data }) => {
        if (this.socket === socket && data instanceof ArrayBuffer) options.onBytes?.(new Uint8Array(data));
      });
      return (this.socket = socket);
    };
    // Not spread: methods of the owner's object keep their `this`.
    this.connection = new Connection(Object.assign(Object.create(options) as StreamOptions, { environment: { ...environment, open } }));
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** Bytes that wait for the network. */
  get buffered(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  start(): void {
    this.connection.start();
  }

  stop(farewell?: ClientFrame): void {
    this.connection.stop(farewell);
    this.socket = undefined;
  }

  suspend(): void {
    this.connection.suspend();
  }

  resume(): void {
    this.connection.resume();
  }

  wake(test: ClientFrame): void {
    this.connection.wake(test);
  }

  /** False when nothing was sent, because there is no connection. */
  send(frame: ClientFrame): boolean {
    return this.connection.send(frame);
  }

  /** Likewise. */
  sendBytes(bytes: Uint8Array): boolean {
    if (this.state !== "connected" || this.socket?.readyState !== 1) return false;
    this.socket.send(bytes);
    return true;
  }

  request<Answer extends Frame>(frame: ClientFrame, options?: RequestOptions): Promise<Answer> {
    return this.connection.request(frame, options);
  }
}
