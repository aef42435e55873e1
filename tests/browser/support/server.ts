/** The real server, as a process of its own. */

import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { settingsFile, type SettingsParts } from "./settings";

export interface ServerOptions {
  /** Where the customer's pages come from; without it the server runs in development mode. */
  readonly siteOrigin?: string;
  readonly settings?: SettingsParts;
}

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 10_000;
const LOG_LINES = 60;

export class Server {
  /** The last lines that the server logged. */
  readonly log: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), "vestibule-test-"));
  private readonly killAtExit = (): void => void this.process?.kill("SIGKILL");
  private process: ChildProcess | undefined;
  private address = "127.0.0.1:0";

  private constructor(private readonly options: ServerOptions) {}

  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    process.once("exit", server.killAtExit);
    try {
      await server.launch();
    } catch (error) {
      await server.dispose();
      throw error;
    }
    return server;
  }

  /** Host and port. */
  get host(): string {
    return this.address;
  }

  get origin(): string {
    return `http://${this.address}`;
  }

  /** Ends the process: `SIGTERM` lets it save its state, `SIGKILL` does not. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    await gone;
    clearTimeout(timer);
  }

  /** Starts a stopped server again, at the same address and with the same storage. */
  async launch(): Promise<void> {
    const { siteOrigin, settings = {} } = this.options;
    const config = join(this.folder, "vestibule.toml");
    if (siteOrigin) writeFileSync(config, settingsFile(siteOrigin, this.address, settings));
    const child = spawn(binary(), siteOrigin ? ["--config", config] : ["--bind", this.address], {
      cwd: this.folder,
      env: cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.log.push(line);
      if (this.log.length > LOG_LINES) this.log.shift();
    });
    this.address = await this.greeting(child);
  }

  /** Ends the process and removes what it wrote. */
  async dispose(): Promise<void> {
    await this.stop();
    process.removeListener("exit", this.killAtExit);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a command of the server's binary on the same settings; gives what it prints. */
  command(...words: string[]): string {
    const [name = "", ...rest] = words;
    const config = join(this.folder, "vestibule.toml");
    return execFileSync(binary(), [name, "--config", config, ...rest], { env: cleanEnvironment(), encoding: "utf8" }).trim();
  }

  /** A figure of `/metrics`, by its full name with labels. */
  async figure(name: string): Promise<number> {
    const text = await (await fetch(`${this.origin}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
    if (!line) throw new Error(`/metrics has no ${name}`);
    return Number(line.slice(name.length + 1));
  }

  /** A call of the native REST interface under `/v1`. */
  async rest(method: string, path: string, token: string, body?: unknown): Promise<{ status: number; body: any }> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${this.origin}/v1${path}`, init);
    return { status: answer.status, body: await answer.json().catch(() => undefined) };
  }

  /** The greeting on stdout names the address that was bound. */
  private async greeting(child: ChildProcess): Promise<string> {
    const lines = createInterface({ input: child.stdout! });
    const named = new Promise<string>((found) => {
      lines.on("line", (line) => {
        const host = /^\s*http:\/\/([^/\s]+)\/\s/.exec(line)?.[1];
        if (host) found(host);
      });
    });
    const failed = (why: string): never => {
      throw new Error(`the server did not start: ${why}\n${this.log.join("\n")}`);
    };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, START_LIMIT_MS)));
    try {
      return await Promise.race([
        named,
        once(child, "exit").then(([code]) => failed(`it ended with ${code}`)),
        late.then(() => failed("no greeting")),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function binary(): string {
  const path = process.env.VESTIBULE_BIN ?? resolve(import.meta.dirname, "../../../target/debug/vestibule");
  if (!existsSync(path)) throw new Error(`there is no ${path}: run \`cargo build\`, or name the binary in VESTIBULE_BIN`);
  return path;
}

/** The tests' settings must not be overridden by the caller's environment. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VESTIBULE_")));
}
