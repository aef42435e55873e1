/**
 * A Chromium of our own, spoken to over its DevTools pipe. The driver of the other tests makes every tab believe that it
 * is in front and has the focus; here tabs are hidden, frozen and prerendered as they are for people.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { ARGUMENTS, CHROMIUM } from "./browser";

interface Answer {
  readonly id?: number;
  readonly result?: any;
  readonly error?: { readonly message: string };
}

export class DevTools {
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private count = 0;
  private rest = "";

  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
  ) {
    const from = process.stdio[4] as Readable;
    from.setEncoding("utf8");
    from.on("data", (text: string) => {
      const messages = (this.rest + text).split("\0");
      this.rest = messages.pop() ?? "";
      for (const message of messages) this.take(JSON.parse(message) as Answer);
    });
  }

  static open(...more: string[]): DevTools {
    const profile = mkdtempSync(join(tmpdir(), "vestibule-chromium-"));
    const own = ["--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "--window-size=900,700"];
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"] as const;
    return new DevTools(spawn(CHROMIUM, [...ARGUMENTS, ...own, ...more, "about:blank"], { stdio: [...stdio] }), profile);
  }

  async close(): Promise<void> {
    const gone = once(this.process, "exit");
    // Its answer may not come any more.
    void this.send("Browser.close").catch(() => {});
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(timer);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** Opens a tab that nobody looks into; a watched one prerenders nothing. Gives its id. */
  async leaveAlone(url: string): Promise<string> {
    return (await this.send("Target.createTarget", { url })).targetId;
  }

  async closeTab(targetId: string): Promise<void> {
    await this.send("Target.closeTarget", { targetId });
  }

  async tab(url: string): Promise<Tab> {
    const targetId = await this.leaveAlone(url);
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return new Tab(this, targetId, sessionId);
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = (this.count += 1);
    const answered = new Promise<Answer>((resolve) => this.waiting.set(id, resolve));
    (this.process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    const { result, error } = await answered;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  private take(answer: Answer): void {
    if (answer.id === undefined) return;
    this.waiting.get(answer.id)?.(answer);
    this.waiting.delete(answer.id);
  }
}

export class Tab {
  constructor(
    private readonly devtools: DevTools,
    private readonly target: string,
    private readonly session: string,
  ) {}

  send(method: string, params: object = {}): Promise<any> {
    return this.devtools.send(method, params, this.session);
  }

  /** Brings the tab to the front, as a click on it does. */
  async show(): Promise<void> {
    await this.devtools.send("Target.activateTarget", { targetId: this.target });
  }

  async close(): Promise<void> {
    await this.devtools.closeTab(this.target);
  }

  async freeze(): Promise<void> {
    await this.send("Page.setWebLifecycleState", { state: "frozen" });
  }

  async thaw(): Promise<void> {
    await this.send("Page.setWebLifecycleState", { state: "active" });
  }
}
