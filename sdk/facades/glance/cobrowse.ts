import { Emitter } from "../../core/emitter";
import type { VisitorProblem } from "../../core/frames";
import { openDialog, type OpenDialog } from "./dialog";
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

/**
 * `GLANCE.Cobrowse.Visitor`. Terms are asked for and reported here; this build carries no recorder,
 * so a session ends in the `error` event with code `service`.
 */
export class CobrowseVisitor {
  private readonly events = new Emitter<CobrowseEvents>();
  private readonly removals: { name: string; handler: unknown; remove(): void }[] = [];
  private shown: { dialog: OpenDialog; answer: Promise<TermsAnswer> } | undefined;

  constructor(
    private readonly page: Window,
    private readonly settings: Settings,
    private readonly Presence: PresenceVisitorClass,
  ) {}

  /** Asks the visitor; while the dialog is open a second call gives the same answer. */
  readonly showTerms = (params: TermsParams = {}): Promise<TermsAnswer> => {
    if (this.shown) return this.shown.answer;
    const termsurl = params.termsurl ?? this.settings.attribute("termsurl");
    const dialog = openDialog(this.page, {
      title: params.title ?? "Show this page to an agent?",
      text: params.text ?? "An agent would like to see this page with you. You can stop at any time.",
      termsurl,
      link: "Terms and conditions",
      accept: params.accept ?? "Accept",
      decline: params.decline ?? "Decline",
    });
    this.report("displayed");
    const answer = dialog.answer.then((accepted) => {
      const status = accepted ? "accepted" : "declined";
      this.shown = undefined;
      this.report(status);
      if (accepted && params.sessionKey) this.startSession({ sessionKey: params.sessionKey });
      return status;
    });
    this.shown = { dialog, answer };
    return answer;
  };

  readonly startSession = (_params?: string | { readonly sessionKey?: string; readonly groupid?: string | number }): void => {
    const problem = { code: "service", msg: "the co-browse service cannot be reached" };
    this.Presence.instance?.core?.reportError(problem);
    this.events.emit("error", problem);
  };

  readonly stopSession = (): void => {};

  readonly inSession = (): boolean => false;

  readonly addEventListener = (name: string, handler: (data?: unknown) => void): void => {
    const remove = this.events.on(name, (data) => callHandler(undefined, handler, data));
    this.removals.push({ name, handler, remove });
  };

  readonly removeEventListener = (name: string, handler: (data?: unknown) => void): void => {
    const at = this.removals.findIndex((entry) => entry.name === name && entry.handler === handler);
    if (at >= 0) this.removals.splice(at, 1)[0]?.remove();
  };

  private report(status: TermsAnswer | "displayed"): void {
    this.Presence.instance?.core?.reportTerms(status);
  }
}
