/** The object `Cobrowse`, as pages know it. Nothing of it throws. */

import type { EventSources } from "./events";
import { DEFAULT_LANGUAGE, languageOf } from "./languages";
import type { Link } from "./link";
import type { Machine } from "./machine";
import { isActive, Reasons, States, type State } from "./states";

export interface Result {
  readonly result: boolean;
  /** Why not; empty when it is done. */
  readonly description: string;
}

export interface StartParams {
  /** An identifier from outside, such as a chat's; the session then has no access code. */
  readonly SID?: string | number | null;
}

/** Which pieces of built-in interface there are; each is there by default. */
export interface Switches {
  liveExpertPanelEnabled: boolean;
  escalationPopupEnabled: boolean;
  sessionEndedPopupEnabled: boolean;
  navigatingAwayPopupEnabled: boolean;
}

export interface ApiParts {
  readonly machine: Machine;
  readonly link: Link;
  readonly sources: EventSources;
  /** Whether this browser can show its page. */
  readonly isAble: boolean;
  readonly language: string | undefined;
  /** Asks for what the visitor must accept, if there is such. */
  agree(): Promise<boolean> | undefined;
  /** A switch or the language changed. */
  onChange(): void;
}

const done: Result = { result: true, description: "" };
const refused = (description: string): Result => ({ result: false, description });
const IDENTIFIER = /^[!-~]{1,128}$/;

/** What a page gives as text, or nothing; an object that is no text is as wrong as an empty one. */
function given(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "object" || typeof value === "function" ? "" : String(value);
}

export function makeCobrowse({ machine, link, sources, isAble, language, agree, onChange }: ApiParts) {
  let reportingId: string | undefined;
  let lcid = language === undefined ? DEFAULT_LANGUAGE : languageOf(language);
  const isIdle = (): boolean => machine.state === States.INIT || machine.state === States.READY;
  const wrongState = (): Result => refused(`Invalid app state: ${machine.state}`);

  const Session = {
    start(params?: StartParams | null): Result {
      const SID = given(params?.SID);
      if (machine.state !== States.READY) return wrongState();
      if (!isAble) return refused("Environment not supported");
      if (SID !== undefined && !IDENTIFIER.test(SID)) return refused("SID must be 1 to 128 printable ASCII characters");
      link.start({ SID, reportingId, agreed: agree() });
      return done;
    },
    stop(params?: { readonly reason?: unknown } | null): Result {
      if (!machine.hasSession) return wrongState();
      link.stop(given(params?.reason)?.slice(0, 200) || undefined, Reasons.user);
      return done;
    },
    getState: (): State => machine.state,
    /** There is no screen share to go over to. */
    startAdvancedMode: (): Result => refused("Advanced mode is not available"),
    get accessCode(): string | undefined {
      return machine.accessCode;
    },
    get mode(): "ICB" | null {
      return isActive(machine.state) ? "ICB" : null;
    },
    get previousState(): State | undefined {
      return machine.previousState;
    },
  };

  const DefaultUI = {
    setLanguage(given: unknown): void {
      lcid = languageOf(given);
      onChange();
    },
    getLanguage: (): number => lcid,
  };

  const API = {
    checkEnvironment: () => ({ ICB: isAble && isIdle(), ACB: false }),
    setReportingId(params?: { readonly extKey?: unknown } | null): boolean {
      const extKey = given(params?.extKey) ?? "";
      const isTaken = isIdle() && IDENTIFIER.test(extKey);
      if (isTaken) reportingId = extKey;
      return isTaken;
    },
    Session,
    DefaultUI: withSwitches(DefaultUI, onChange),
  };

  return {
    /** Calls back in a task of its own, or resolves, when all of this can be used: as soon as the script has run. */
    ready(callback?: () => void): Promise<void> | undefined {
      if (typeof callback !== "function") return Promise.resolve();
      setTimeout(() => callback());
      return undefined;
    },
    API,
    Events: sources,
    States,
  };
}

export type Cobrowse = ReturnType<typeof makeCobrowse>;

function withSwitches<Target extends object>(target: Target, onChange: () => void): Target & Switches {
  for (const name of ["liveExpertPanelEnabled", "escalationPopupEnabled", "sessionEndedPopupEnabled", "navigatingAwayPopupEnabled"]) {
    let value = true;
    Object.defineProperty(target, name, {
      enumerable: true,
      get: () => value,
      set(given: unknown) {
        value = Boolean(given);
        onChange();
      },
    });
  }
  return target as Target & Switches;
}
