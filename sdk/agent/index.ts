/** The agent's side: `import { Agent } from ".../sdk/agent.js"`. */

export type { ConnectionState } from "../core/connection";
export { VestibuleError } from "../core/errors";
export type { HelpNews, SessionEndReason, TermsStatus, Visibility, VisitorProblem } from "../core/frames";
export type { PresenceData } from "../core/limits";
export { Agent } from "./agent";
export { AgentConnection } from "./connection";
export type * from "./frames";
export type { ListEvents, VisitorList } from "./list";
export type * from "./list-query";
export type { ListState } from "./list-view";
export type { AgentEvents, AgentOptions, SendOptions } from "./options";
export type { TokenSource } from "./token";
export type { VisitorTarget, Watch, WatchEvents } from "./watch";
export type { SessionOptions, StartedSession } from "./sessions";
