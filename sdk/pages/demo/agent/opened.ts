/** One opened visitor: an agent object of its own, and what it has told so far. */

import type { AgentObject } from "../../shared/glance";
import { note } from "./log";
import { codeOf } from "./reasons";
import { agentClass, refused, session } from "./session";

export type Standing = "asking" | "connected" | "transit" | "gone";

/** A row of the visitors' list, as the REST interface gives it. */
export interface VisitorRow {
  visitorid: string;
  anonymous?: boolean;
  connected?: boolean;
  sockets?: number;
  visibility?: string | null;
  terms?: string | null;
  data?: Record<string, string | number>;
  since?: number;
}

const EVENTS = [
  "visitorconn",
  "visitorsock",
  "presence",
  "terms",
  "visibility",
  "visitorsessionstart",
  "visitorsessionend",
  "visitorerror",
  "signaloutcome",
  "error",
];
/** Fields of a lookup that tell where the visitor is kept, not what he reported. */
const PLUMBING = new Set([
  "groupid",
  "group",
  "visitorpresent",
  "timestamp",
  "direct",
  "directserver",
  "ds",
  "httpsport",
  "tlsport",
  "visitorid",
]);

export class Opened {
  readonly agent: AgentObject;
  visitorid: string;
  connected: boolean | undefined;
  sockets: number | undefined;
  visibility = "";
  terms = "";
  session = "";
  trouble = "";
  data = new Map<string, string>();
  changed = new Set<string>();
  /** Whether what no event told is asked for, or known. */
  private complete = false;
  updated = 0;
  onchange: () => void = () => undefined;

  constructor(
    readonly key: string,
    readonly by: "visitorid" | "uniqueid",
  ) {
    this.visitorid = by === "visitorid" ? key : "";
    const Agent = agentClass();
    this.agent = new Agent({ groupid: session.group, ...(by === "visitorid" ? { visitorid: key } : { uniqueid: key }) });
    const slots = this.agent as unknown as Record<string, (payload: unknown) => void>;
    for (const name of EVENTS) slots[`on${name}`] = (payload) => this.told(name, payload);
  }

  get standing(): Standing {
    if (this.connected === undefined) return "asking";
    if (!this.connected) return "gone";
    return this.sockets === 0 ? "transit" : "connected";
  }

  connect(): void {
    this.trouble = "";
    note("call", this.key, "connect");
    this.agent.connect();
    this.lookup();
  }

  /** After trouble: the old link goes, so that the new one starts with a fresh socket and token. */
  again(): void {
    this.close();
    this.connect();
  }

  close(): void {
    note("call", this.key, "disconnect");
    this.agent.disconnect();
  }

  /** What the list knows beyond the events: visibility and terms are told on changes only. */
  listed(row: Pick<VisitorRow, "visibility" | "terms">): void {
    const before = this.visibility + this.terms;
    if (row.visibility && (this.visibility === "" || this.connected)) this.visibility = row.visibility;
    if (row.terms && this.terms === "") this.terms = row.terms;
    this.complete ||= row.visibility != null;
    if (this.visibility + this.terms !== before) this.onchange();
  }

  /** The list shows some only: of the others the record is read once. An event that was faster is newer. */
  async fill(record: (visitorid: string) => Promise<VisitorRow | null>): Promise<void> {
    if (this.complete || !this.connected || this.visitorid === "") return;
    this.complete = true;
    try {
      const found = await record(this.visitorid);
      if (found && this.visibility === "") this.listed(found);
    } catch {
      this.complete = false;
    }
  }

  private told(name: string, payload: unknown): void {
    note(name === "error" || name === "visitorerror" ? "fail" : "event", this.key, name, payload);
    const fields = (payload ?? {}) as Record<string, unknown>;
    if (name === "error") {
      const code = codeOf(payload);
      // The interface's own words for a code that leads to nobody are few.
      this.trouble = code === "error" && this.visitorid === "" ? "nocode" : code;
      if (this.trouble === "authorization") refused();
    } else {
      this.trouble = "";
    }
    if (name === "visitorconn") {
      this.connected = fields["connected"] === true;
      if (!this.connected) {
        this.sockets = 0;
        this.visibility = "";
        this.complete = false;
      }
    }
    if (name === "visitorsock") this.socketTold(fields);
    if (name === "presence") this.merge(fields, true);
    if (name === "terms") this.terms = String(fields["status"] ?? "");
    if (name === "visibility") this.visibility = String(fields["visibility"] ?? "");
    if (name === "visitorsessionstart") this.session = "running";
    if (name === "visitorsessionend") this.session = `ended by ${String(fields["reason"] ?? "somebody")}`;
    this.onchange();
  }

  private socketTold(fields: Record<string, unknown>): void {
    const left = fields["sockets"];
    if (typeof left === "number") this.sockets = left;
    else this.sockets = fields["connected"] === true ? Math.max(1, this.sockets ?? 1) : 0;
    if (this.sockets > 0) this.connected = true;
  }

  private merge(fields: Record<string, unknown>, live: boolean): void {
    this.changed.clear();
    for (const [name, value] of Object.entries(fields)) {
      if (PLUMBING.has(name) || (typeof value !== "string" && typeof value !== "number")) continue;
      if (live && this.data.get(name) !== String(value)) this.changed.add(name);
      this.data.set(name, String(value));
    }
    this.updated = Date.now();
  }

  lookup(said: (text: string) => void = () => undefined): void {
    note("call", this.key, "lookupVisitor");
    this.agent.lookupVisitor({
      onsuccess: (info) => {
        note("ok", this.key, "lookupVisitor", info);
        const found = Object.keys(info ?? {}).length > 0;
        if (found) {
          if (typeof info["visitorid"] === "string") this.visitorid = info["visitorid"];
          this.merge(info, false);
        } else {
          this.connected ??= false;
        }
        said(found ? "Looked up just now." : "The server knows nothing of this visitor.");
        this.onchange();
      },
      onfail: (reason) => {
        note("fail", this.key, "lookupVisitor", reason);
        if (codeOf(reason) === "authorization") refused();
        if (codeOf(reason) === "visitornotpresent") this.connected ??= false;
        else this.trouble = codeOf(reason);
        said("");
        this.onchange();
      },
    });
  }
}
