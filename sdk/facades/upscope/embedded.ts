/**
 * Upscope's embedded session control: the messages between the page of a watch link and the page in whose frame it stands
 * (`upscope.md` 2; the first of its three generations).
 */

import type { Embed, Stage, Steering } from "../../pages/watch/embedding";
import type { Mode } from "../../pages/watch/tools";

const STATUSES: Readonly<Record<Stage, string>> = {
  waiting: "waiting",
  asking: "pendingRequest",
  started: "active",
  received: "snapshotReceived",
  visible: "viewerReady",
  over: "terminated",
};

const MODES: ReadonlyMap<unknown, Mode> = new Map<unknown, Mode>([
  ["draw", "draw"],
  ["pointer", "spotlight"],
  ["cursor", "cursor"],
]);

/**
 * Tells the page around this one, and does what it asks; undefined where there is none. `parent` is its origin, if only that
 * may hear. Nobody but that page is listened to, and what is not known is passed over in silence.
 */
export const embeddedIn: Embed = (page, parent, steering) => {
  const around = page.parent;
  if (around === page) return undefined;
  page.addEventListener("message", ({ source, origin, data }: MessageEvent<unknown>) => {
    if (source !== around || (parent !== null && origin !== parent)) return;
    if (typeof data === "object" && data !== null) obey(data as Instruction, steering);
  });
  const post = (message: object): void => around.postMessage(message, parent ?? "*");
  return {
    stage: (stage) => post({ type: "sessionStatusUpdate", sessionStatus: STATUSES[stage] }),
    colour: (color) => post({ type: "currentColor", color }),
    // Of the later generations of the contract; a page that goes by `type` passes over what it does not know.
    message: (message) => post({ type: "customMessage", message }),
  };
};

interface Instruction {
  readonly action?: unknown;
  readonly mode?: unknown;
  readonly color?: unknown;
}

function obey({ action, mode, color }: Instruction, steering: Steering): void {
  const chosen = MODES.get(mode);
  if (action === "endSession") steering.end();
  else if (action === "setMode" && chosen) steering.choose(chosen);
  else if (action === "switchColor" && (color === undefined || color === null)) steering.colour();
  else if (action === "switchColor" && typeof color === "string") steering.colour(color);
}
