/** The controller kit for agents' desktops: `import { Interaction } from ".../sdk/genesys.js"`. */

export { VestibuleError } from "../../core/errors";
export type { AttachedData, Deactivated } from "./attached";
export { Controller, type ControllerEvents, type ControllerOptions, type SessionUser } from "./controller";
export { Interaction, type Closing, type InteractionEvents } from "./interaction";
export type { FoundSession } from "./live";
export { startOf } from "./start-message";
