/** The configuration that a page gives (`upscope.md` 7), as far as it has a counterpart. */

import type { PresenceData } from "../../core/limits";
import type { SharingOptions } from "../../visitor/sharing";
import { filled } from "./prompt";

/** Who the visitor is. Undefined leaves a part as it is, `null` clears it. */
export interface Identification {
  readonly uniqueId?: string | null;
  readonly identities?: readonly string[] | null;
  readonly tags?: readonly string[] | null;
  readonly integrationIds?: readonly string[] | null;
}

export interface Config extends Identification {
  /** The group's id. */
  readonly apiKey?: string | number;
  readonly requireAuthorizationForSession?: boolean;
  readonly authorizationPromptTitle?: string | null;
  readonly authorizationPromptMessage?: string | null;
  readonly endOfScreenshareMessage?: string | null;
  readonly translationsYes?: string | null;
  readonly translationsNo?: string | null;
  readonly translationsStopSession?: string | null;
  readonly onSessionRequest?: ((answer: (agreed: boolean) => void, agentName: string | null) => void) | null;
  readonly onSessionStart?: (() => void) | null;
  readonly onSessionContinue?: (() => void) | null;
  readonly onSessionEnd?: (() => void) | null;
  readonly onConnection?: (() => void) | null;
  readonly allowRemoteClick?: boolean;
  readonly allowRemoteScroll?: boolean;
  readonly allowRemoteType?: boolean;
  readonly autoconnect?: boolean;
  readonly disconnectAfterSeconds?: number | null;
  readonly maskedElements?: readonly string[];
  readonly lookupCodeElement?: string | Element | null;
}

/** Of the options, who the visitor is. */
const LISTS = ["identities", "tags", "integrationIds"] as const;
export const NAMES = ["uniqueId", ...LISTS] as const;

/** Which of the commands' arguments are of `init`; the table in `docs/compatibility.md` has the same. */
export const OPTIONS: readonly (keyof Config)[] = [
  "apiKey",
  ...NAMES,
  "requireAuthorizationForSession",
  "authorizationPromptTitle",
  "authorizationPromptMessage",
  "endOfScreenshareMessage",
  "translationsYes",
  "translationsNo",
  "translationsStopSession",
  "onSessionRequest",
  "onSessionStart",
  "onSessionContinue",
  "onSessionEnd",
  "onConnection",
  "allowRemoteClick",
  "allowRemoteScroll",
  "allowRemoteType",
  "autoconnect",
  "disconnectAfterSeconds",
  "maskedElements",
  "lookupCodeElement",
];

/** How long an inactive visitor stays connected, in seconds, unless the page says otherwise. */
export const IDLE_SECONDS = 600;

const ALWAYS_MASKED = ".no-upscope";

/** A later configuration over an earlier one: what is undefined stays. */
export function merged(before: Config, after: unknown): Config {
  if (typeof after !== "object" || after === null) return before;
  const given = Object.entries(after).filter(([name, value]) => value !== undefined && (OPTIONS as readonly string[]).includes(name));
  return { ...before, ...Object.fromEntries(given) };
}

/** What is told of the visitor: lists as JSON, nothing as an empty text. */
export function presenceOf(who: Identification): PresenceData {
  const told: Record<string, string> = {};
  if (who.uniqueId !== undefined) told["uniqueId"] = who.uniqueId === null ? "" : String(who.uniqueId);
  for (const name of LISTS) {
    const list = who[name];
    if (list !== undefined) told[name] = JSON.stringify(list === null ? [] : Array.from(list, String));
  }
  return told;
}

/** What the page says of itself for sessions; read anew each time, as `init` may be repeated. */
export function sharingOf(page: Window, config: () => Config): SharingOptions {
  return {
    get agreed() {
      return config().requireAuthorizationForSession === false;
    },
    get control() {
      const { allowRemoteClick = true, allowRemoteScroll = true, allowRemoteType = true } = config();
      return allowRemoteClick && allowRemoteScroll && allowRemoteType;
    },
    get mask() {
      return masked(config());
    },
    // Of a field the value is enough; of anything else nothing is left, pictures neither.
    get block() {
      return masked(config()).map((selector) => `:is(${selector}):not(input,textarea,select)`);
    },
    get texts() {
      const { translationsStopSession, endOfScreenshareMessage } = config();
      return { ...(translationsStopSession && { "bar.stop": translationsStopSession }), ...(endOfScreenshareMessage && { "bar.ended": endOfScreenshareMessage }) };
    },
    question(to, agent) {
      const { authorizationPromptTitle: title, authorizationPromptMessage: text, translationsYes, translationsNo } = config();
      const fill = (template: string | null | undefined): string | undefined => (template ? filled(template, agent, page.location.hostname) : undefined);
      const buttons = { accept: translationsYes || undefined, decline: translationsNo || undefined };
      return to === "view" ? { title: fill(title), text: fill(text), ...buttons } : buttons;
    },
    ask(to, agent) {
      const { onSessionRequest } = config();
      if (to !== "view" || typeof onSessionRequest !== "function") return undefined;
      return new Promise((resolve) => onSessionRequest((agreed) => resolve(agreed === true), agent || null));
    },
  };
}

function masked({ maskedElements }: Config): string[] {
  return [ALWAYS_MASKED, ...(Array.isArray(maskedElements) ? maskedElements.map(String) : [])];
}
