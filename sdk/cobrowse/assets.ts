/**
 * Pictures, fonts and style sheets of the page, as its own browser gets them: those that need the visitor's login, too.
 * Each address is a number for others; content goes to the server by its hash, and only when the server lacks it.
 */

import type { ClientFrame } from "../core/frames";
import { css, type Disguise } from "./masking/attributes";

export interface AssetHost {
  /** False when there is no connection; what was not told is told on the next. */
  tell(frame: ClientFrame): boolean;
  /** Brings content to the server. */
  put(sha256: string, content: Blob): Promise<unknown>;
  fetch(address: string, options: RequestInit): Promise<Response>;
  /** The page's own address. */
  readonly origin: string;
  readonly patterns: readonly RegExp[];
}

/** Most of one, in bytes. */
const MOST_BYTES = 2 << 20;
/** Most that is kept at hand until the server wants it. */
const KEPT_BYTES = 32 << 20;
const MOST_ASSETS = 2_000;
const AT_A_TIME = 6;
const TYPES = /^(?:image\/[\w.+-]+|font\/[\w.+-]+|text\/css)$/;
/** What servers call fonts that do not know their type of its own. */
const LOOSE_FONT = /^application\/(?:octet-stream|(?:x-)?font-[\w.+-]+|vnd\.ms-opentype)$/;

export class Assets {
  private readonly numbers = new Map<string, number>();
  private readonly told = new Map<number, ClientFrame>();
  private readonly kept = new Map<string, Blob>();
  private keptBytes = 0;
  private readonly queue: { readonly address: string; readonly asset: number }[] = [];
  private busy = 0;
  private readonly ending = new AbortController();

  constructor(private readonly host: AssetHost) {}

  /** The name under which agents get what is at this address. */
  readonly name = (address: string): string => {
    const known = this.numbers.get(address);
    if (known !== undefined) return `vestibule-asset:${known}`;
    if (this.numbers.size >= MOST_ASSETS) return "";
    const asset = this.numbers.size + 1;
    this.numbers.set(address, asset);
    this.queue.push({ address, asset });
    this.work();
    return `vestibule-asset:${asset}`;
  };

  /** A connection begins: the server is told everything that is known. */
  announce(): void {
    for (const frame of this.told.values()) this.host.tell(frame);
  }

  /** The server lacks this content. */
  wanted(sha256: string): void {
    const content = this.kept.get(sha256);
    if (content) this.host.put(sha256, content).catch(() => {});
  }

  stop(): void {
    this.ending.abort();
    this.queue.length = 0;
  }

  private work(): void {
    while (this.busy < AT_A_TIME) {
      const next = this.queue.shift();
      if (!next) return;
      this.busy += 1;
      void this.take(next.address, next.asset).then((frame) => {
        this.busy -= 1;
        if (this.ending.signal.aborted) return;
        this.told.set(next.asset, frame);
        this.host.tell(frame);
        this.work();
      });
    }
  }

  private async take(address: string, asset: number): Promise<ClientFrame> {
    try {
      const content = await this.load(address);
      const sha256 = await hash(await content.arrayBuffer());
      this.keep(sha256, content);
      return { type: "asset", asset, sha256, content_type: content.type, bytes: content.size };
    } catch {
      return { type: "noasset", asset };
    }
  }

  private async load(address: string): Promise<Blob> {
    const own = new URL(address).origin === this.host.origin || address.startsWith("blob:");
    const options: RequestInit = { credentials: own ? "include" : "omit", signal: this.ending.signal, redirect: "follow" };
    // Most of it is in the browser's cache; what was cached without leave for scripts is asked for again.
    const response = await this.host
      .fetch(address, { ...options, cache: "force-cache" })
      .catch(() => this.host.fetch(address, { ...options, cache: "reload" }));
    const type = typeOf(response, address);
    const declared = Number(response.headers.get("content-length") ?? 0);
    if (!response.ok || !TYPES.test(type) || declared > MOST_BYTES) throw new Error("not to be shown");
    const content = await response.blob();
    if (content.size > MOST_BYTES) throw new Error("too large");
    if (type !== "text/css") return new Blob([content], { type });
    const disguise: Disguise = { base: response.url || address, nameAsset: this.name, patterns: this.host.patterns };
    return new Blob([css(await content.text(), disguise)], { type });
  }

  /** The oldest go first; whoever wants one of them gets nothing. */
  private keep(sha256: string, content: Blob): void {
    if (this.kept.has(sha256)) return;
    this.kept.set(sha256, content);
    this.keptBytes += content.size;
    for (const [oldest, { size }] of this.kept) {
      if (this.keptBytes <= KEPT_BYTES || oldest === sha256) break;
      this.kept.delete(oldest);
      this.keptBytes -= size;
    }
  }
}

function typeOf(response: Response, address: string): string {
  const type = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const font = /\.(woff2?|ttf|otf)$/i.exec(new URL(address).pathname)?.[1];
  return font && LOOSE_FONT.test(type) ? `font/${font.toLowerCase()}` : type;
}

async function hash(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
