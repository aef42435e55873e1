import type { EndReason, SessionNews } from "../../cobrowse/frames";
import { Emitter } from "../../core/emitter";
import type { SessionEndReason, VisitorProblem } from "../../core/frames";
import type { Visitor } from "../../visitor/visitor";
import type { DialogContent, openDialog } from "./dialog";
import { callHandler } from "./namespace";
import type { Settings } from "./settings";
import type { PresenceVisitorClass } from "./visitor";

export interface TermsParams {
  /** When given, an accepted dialog starts a session with this key. */
  readonly sessionKey?: string;
  readonly video?: string;
  /** Address of the terms; the tag's `data-termsurl` by default. */
  readonly termsurl?: string;
  readonly title?: string;
  readonly text?: string;
  /** Text of the button; `Accept` by default. */
  readonly accept?: string;
  /** Text of the button; `Decline` by default. */
  readonly decline?: string;
}

export type TermsAnswer = "accepted" | "declined";

interface CobrowseEvents {
  error: VisitorProblem;
  [name: string]: unknown;
}

export interface SessionParams {
  /** Sessions are the visitor's own here; a key changes nothing. */
  readonly sessionKey?: string;
  readonly groupid?: string | number;
}

/** Loads what shows the terms: most pages never do. */
export type LoadDialog = () => Promise<{ readonly openDialog: typeof openDialog }>;

const START = "GLANCE.Cobrowse.Visitor.startSession";

/** `GLANCE.Cobrowse.Visitor`: terms, and co-browse sessions of the page's visitor. */
export class CobrowseVisitor {
  private readonly events = new Emitter<CobrowseEvents>();
  private readonly removals: { name: string; handler: unknown; remove(): void }[] = [];
  private shown: Promise<TermsAnswer> | undefined;
  /** Whether the terms were accepted in this visit. */
  private accepted = false;
  /** An agent's call, not the page's own, is about to run. */
  private invoked = false;
  /** Whether the visitor's agreement has been told as the session's start. */
  private started = false;
  private continued = false;
  private reason: SessionEndReason = "error";

  constructor(
    private readonly page: Window,
    private readonly settings: Settings,
    private readonly Presence: PresenceVisitorClass,
    private readonly loadDialog: LoadDialog,
  ) {
    Presence.onmade = (core) => this.follow(core);
  }

  /** Asks the visitor; while the dialog is open a second call gives the same answer. */
  readonly showTerms = (params: TermsParams = {}): Promise<TermsAnswer> => {
    this.shown ??= this.ask(params).finally(() => (this.shown = undefined));
    return this.shown;
  };

  /**
   * Starts a session. The page's own call is the visitor's wish; an agent's has him asked first, unless he accepted the
   * terms in this visit.
   */
  readonly startSession = (params?: string | SessionParams): void => {
    const agreed = !this.invoked || this.accepted;
    this.invoked = false;
    const group = typeof params === "object" ? params?.groupid : undefined;
    const { Presence, settings } = this;
    if (group !== undefined && String(group) !== settings.groupid) return this.fail("another group's page");
    const presence = Presence.instance ?? new Presence();
    if (!presence.core) presence.connect();
    presence.core?.startSession({ agreed }).catch((error: Error) => this.fail(error.message));
  };

  readonly stopSession = (): void => {
    this.core?.endSession().catch(() => {});
  };

  readonly inSession = (): boolean => this.core?.session !== undefined;

  readonly addEventListener = (name: string, handler: (data?: unknown) => void): void => {
    const remove = this.events.on(name, (data) => callHandler(undefined, handler, data));
    this.removals.push({ name, handler, remove });
  };

  readonly removeEventListener = (name: string, handler: (data?: unknown) => void): void => {
    const at = this.removals.findIndex((entry) => entry.name === name && entry.handler === handler);
    if (at >= 0) this.removals.splice(at, 1)[0]?.remove();
  };

  private async ask(params: TermsParams): Promise<TermsAnswer> {
    const content: DialogContent = {
      title: params.title ?? "Show this page to an agent?",
      text: params.text ?? "An agent would like to see this page with you. You can stop at any time.",
      termsurl: params.termsurl ?? this.settings.attribute("termsurl"),
      link: "Terms and conditions",
      accept: params.accept ?? "Accept",
      decline: params.decline ?? "Decline",
    };
    try {
      const { openDialog } = await this.loadDialog();
      const { answer } = openDialog(this.page, content);
      this.report("displayed");
      this.accepted = await answer;
    } catch {
      this.accepted = false;
      this.fail("the terms cannot be shown");
    }
    const status = this.accepted ? "accepted" : "declined";
    this.report(status);
    if (this.accepted && params.sessionKey) this.startSession({ sessionKey: params.sessionKey });
    return status;
  }

  private get core(): Visitor | undefined {
    return this.Presence.instance?.core;
  }

  private report(status: TermsAnswer | "displayed"): void {
    this.core?.reportTerms(status);
  }

  private fail(msg: string): void {
    const problem = { code: "service", msg };
    this.core?.reportError(problem);
    this.events.emit("error", problem);
  }

  private follow(core: Visitor): void {
    core.on("connected", ({ terms }) => (this.accepted ||= terms === "accepted"));
    core.on("invoke", ({ func }) => (this.invoked = func === START));
    core.on("sessionstart", ({ continued }) => {
      this.started = false;
      this.continued = continued;
      if (!continued) this.events.emit("sessionstarting", undefined);
    });
    core.on("sessionevent", (news) => this.happened(news));
    core.on("sessionend", () => {
      this.events.emit("sessionend", { reason: this.reason });
      this.reason = "error";
    });
  }

  private happened(event: SessionNews): void {
    if (event.what === "ended") this.reason = reasonOf(event.reason);
    if (event.what === "view" && event.state === "on" && !this.started) {
      this.started = true;
      this.events.emit(this.continued ? "sessioncontinue" : "sessionstart", undefined);
    }
  }
}

/** Who ended it, in the words of this interface. */
function reasonOf(reason: EndReason): SessionEndReason {
  if (reason === "networktimeout") return "error";
  return /^(?:visitor|declined|usertimeout)$/.test(reason) ? "visitor" : "agent";
}
