/** The visitor's side: `import { Visitor } from ".../sdk/visitor.js"`. */

export type { ConnectionState } from "../core/connection";
export { VestibuleError } from "../core/errors";
export type { HelpNews, SessionEndReason, TermsStatus, VisitorProblem } from "../core/frames";
export type { PresenceData } from "../core/limits";
export type { UniqueId } from "./frames";
export type { SessionWish, VisitorEvents, VisitorOptions } from "./options";
export type { QuestionWords, SharingOptions } from "./sharing";
export { Visitor } from "./visitor";
