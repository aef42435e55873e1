/**
 * A controller (`genesys.md` 5): the desktop's own place in one session. It finds the session by its token, goes to the server
 * that has it, joins, hears what becomes of it, and ends it.
 */

import { CometD } from "cometd";
import type { TokenSource } from "../../agent/token";
import { Emitter } from "../../core/emitter";
import { VestibuleError, codeOf } from "../../core/errors";
import type { Deactivated } from "./attached";
import { Line } from "./line";
import { findSession, readRecord, seatTicket, stopSession, type FoundSession } from "./live";
import { writeAddress } from "./slave-address";

/** Somebody in the session; role 1 is the customer, 2 an agent, 3 a controller. */
export interface SessionUser {
  readonly userId: string;
  readonly role: number;
  readonly name: string;
}

export interface ControllerOptions {
  /** Where the application is, as in `https://help.example.com/cobrowse`. */
  readonly root: string;
  /**
   * How all that follows reaches the server that has the session: at its own address (`url`), or at `root` with the cookie
   * `gcbSessionServer`, by which a balancer finds it. At the address where the server names one by default.
   */
  readonly stickiness?: "cookie" | "url";
  /** One of the server's tokens, or a function that gives a fresh one; where the group's `genesys` is `token`. */
  readonly token?: TokenSource;
  /** What the controller is called. */
  readonly name?: string;
  /** Makes the client of CometD; a new one with its defaults otherwise. */
  readonly cometd?: () => CometD;
}

export interface ControllerEvents {
  /** The controller is in; the session's name in the history. Told before anything that follows. */
  entered: string;
  /** Somebody came. */
  joined: SessionUser;
  /** Customer and agent are there; in Unix milliseconds since when. */
  activated: number;
  /** The session is over, whoever ended it; the connection is let go. */
  deactivated: Deactivated;
  /** The connection is lost for good, and with it what becomes of the session. */
  lost: VestibuleError;
}

interface JoinAnswer {
  readonly userToken: string;
  readonly sessionHistoryId: string;
}

const CONTROLLER = 3;
/** How long the end of a session is waited for once it was asked for, in milliseconds. */
const END_MS = 5_000;

export class Controller {
  readonly events = new Emitter<ControllerEvents>();
  private userToken = "";
  private history = "";
  private over: Deactivated | undefined;
  private found!: FoundSession;
  /** Where all that follows goes. */
  private base: string;
  private line: Line | undefined;

  constructor(
    readonly sessionToken: string,
    private readonly options: ControllerOptions,
  ) {
    this.base = options.root.replace(/\/+$/, "");
  }

  /** Joins the session; gives its name in the history. Rejected with `notfound` where the token leads to none. */
  async join(): Promise<string> {
    this.found = await findSession(this.base, this.sessionToken, await this.token());
    const { sessionServerUrl } = this.found;
    if (this.options.stickiness === "url" && !sessionServerUrl) throw new VestibuleError("badrequest", "the server names no address of its own");
    if (this.options.stickiness !== "cookie" && sessionServerUrl) this.base = sessionServerUrl.replace(/\/+$/, "");
    const line = this.connection();
    this.line = line;
    await line.open();
    try {
      await this.enter(line);
      return this.history;
    } catch (error) {
      await line.close();
      throw error;
    }
  }

  /** The address of the agents' page for this session, for a frame; loaded only after `join`. */
  async agentPage({ debug = false } = {}): Promise<string> {
    const token = await this.token();
    const ticket = token && (await seatTicket(this.base, this.sessionToken, token));
    return `${this.base}/slave.html${writeAddress({ sid: this.sessionToken, ticket, hasOwnField: true, debug })}`;
  }

  /** Ends the session for everybody, and tells when it was active; that it is over already is no error. */
  async stop(): Promise<Deactivated> {
    if (this.over) return this.over;
    const told = new Promise<Deactivated>((resolve) => this.events.on("deactivated", resolve));
    try {
      if (!this.line) throw new VestibuleError("connection");
      const asked = this.line.ask("/service/session/stop", { userToken: this.userToken });
      return await Promise.race([told, asked.then(() => within(END_MS, told))]);
    } catch (error) {
      if (this.over) return this.over;
      // A server that was started anew knows nobody's seat, though the session may go on.
      if (codeOf(error, "") === "notfound" && this.line) await this.again(this.line);
      // The connection may be what is wrong: the other way asks for nothing but the user's own token.
      return this.over ?? this.end(await stopSession(this.base, this.userToken));
    }
  }

  /** Leaves the session to those who are in it. */
  async leave(): Promise<void> {
    if (!this.over) await this.line?.ask("/service/session/exit", { userToken: this.userToken }).catch(() => {});
    await this.line?.close();
  }

  private connection(): Line {
    const { cometd = () => new CometD() } = this.options;
    // A browser keeps the cookie that came with the answer, and lets no script say another one.
    const isBrowser = typeof document !== "undefined";
    const cookie = `gcbSessionServer=${this.found.sessionServerName}`;
    const headers: Record<string, string> = isBrowser || this.options.stickiness === "url" ? {} : { Cookie: cookie };
    const line = new Line(cometd(), { url: `${this.base}/cometd`, headers, token: () => this.token() });
    line.hear<JoinAnswer>("/service/session/join", (answer) => this.entered(answer));
    line.hear<SessionUser>("/service/session/joined", (user) => this.events.emit("joined", user));
    line.hear<{ activationTime: number }>("/service/session/activated", ({ activationTime }) => this.events.emit("activated", activationTime));
    line.hear<Deactivated>("/service/session/deactivated", (over) => void this.end(over));
    line.events.on("back", () => void this.check(line));
    line.events.on("anew", () => void this.again(line));
    line.events.on("lost", (error) => this.events.emit("lost", error));
    return line;
  }

  private async enter(line: Line): Promise<void> {
    const { name } = this.options;
    await line.ask("/service/session/join", { sessionToken: this.sessionToken, role: CONTROLLER, ...(name && { name }) });
  }

  private entered({ userToken, sessionHistoryId }: JoinAnswer): void {
    const isFirst = !this.userToken;
    this.userToken = userToken;
    this.history = sessionHistoryId;
    if (isFirst) this.events.emit("entered", sessionHistoryId);
  }

  /** Whether the seat is still there, and what became of the session meanwhile. */
  private async check(line: Line): Promise<void> {
    const record = await readRecord(this.base, this.history, this.userToken).catch((error: unknown) => codeOf(error, ""));
    if (typeof record === "object") {
      if (record.deactivationTime) await this.end(record);
    } else if (!["connection", "unready", "ratelimited"].includes(record)) await this.again(line);
  }

  /** The server knows this client no more: it joins anew, unless the session is over meanwhile. */
  private async again(line: Line): Promise<void> {
    try {
      await this.enter(line);
    } catch (error) {
      if (codeOf(error, "") === "notfound") await this.end({});
      else this.events.emit("lost", error as VestibuleError);
    }
  }

  private async end(over: Deactivated): Promise<Deactivated> {
    if (this.over) return this.over;
    this.over = over;
    this.events.emit("deactivated", over);
    await this.line?.close();
    return over;
  }

  private async token(): Promise<string | undefined> {
    const { token } = this.options;
    return typeof token === "function" ? token() : token;
  }
}

function within<Value>(limitMs: number, value: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new VestibuleError("timeout")), limitMs);
    void value.then((found) => {
      clearTimeout(timer);
      resolve(found);
    });
  });
}
