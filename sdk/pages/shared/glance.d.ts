/** The part of the `GLANCE` global that these pages use. Everything that may be missing is optional. */

export type PresenceData = Record<string, string | number>;

export interface Failure {
  error?: string;
  code?: string;
  detail?: string;
  msg?: string;
}

/** How it stands with a visitor's wish for help. */
export interface HelpNews {
  help: string;
  status: "pending" | "accepted" | "unavailable" | "canceled";
  agent?: string;
}

/** The connection below a visitor object: Vestibule's own, beyond the original interface. */
export interface VisitorCore {
  readonly visitorid: string;
  on(event: "connected", handler: () => void): unknown;
  on(event: "disconnected", handler: (end: { code: string; retrying: boolean }) => void): unknown;
  on(event: "help", handler: (news: HelpNews) => void): unknown;
  readonly help?: HelpNews | undefined;
  askHelp(text?: string): Promise<HelpNews>;
  cancelHelp(): Promise<void>;
}

export interface VisitorObject {
  /** There from the first call on. */
  readonly core?: VisitorCore | undefined;
  onsignal?: ((data: unknown) => void) | null;
  onerror?: ((failure: Failure) => void) | null;
  onuniqueid?: ((uniqueid: string, seconds: number) => void) | null;
  onclose?: (() => void) | null;
  presence(params: { data?: PresenceData; onsuccess?: () => void }): void;
  connect(params?: object): void;
  connectUnique(params: { data?: PresenceData }): void;
  extendUnique?(): void;
  disconnect(): void;
}

export interface VisitorClass {
  new (params: { groupid?: string; visitorid?: string }): VisitorObject;
  instance?: VisitorObject;
  setVisitorId?(visitorid: string): void;
}

export interface Callbacks<T> {
  onsuccess?: (answer: T) => void;
  onfail?: (reason: string) => void;
}

export interface AgentObject {
  lookupVisitor(params: Callbacks<Record<string, unknown>>): void;
  signalVisitor(params: { data: unknown } & Callbacks<unknown>): void;
  invokeVisitor(params: { func: string; args?: unknown } & Callbacks<unknown>): void;
  connect(params?: object): void;
  disconnect(): void;
}

export interface AgentClass {
  new (params: { groupid?: string; visitorid?: string; uniqueid?: string }): AgentObject;
}

export interface AuthorizeParams extends Callbacks<{ authToken: string; groupId: string | number }> {
  service: "presence";
  groupid?: string;
  credentials: Record<string, string>;
  duration: number;
}

export interface Authorization {
  setToken(token: string): void;
  authorize(params: AuthorizeParams): void;
}

export interface Glance {
  VERSION?: string;
  Presence?: { Visitor?: VisitorClass; Agent?: AgentClass };
  Authorization?: Authorization;
  Demo?: Record<string, (args: unknown) => void>;
}

/** Settings that a site gives before the library starts. */
export interface GlanceCobrowse {
  groupid?: string;
  visitorid?: string;
  name?: string;
}
