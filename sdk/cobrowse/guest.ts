/**
 * A visitor's page in a session: enters it, asks and tells the visitor, records when the server says so, and stops at
 * once when the visitor, the server or the page's end says so.
 */

import { codeOf } from "../core/errors";
import type { ClientFrame, Frame } from "../core/frames";
import { membersAfter, type AskFrame, type ConsentTo, type EnterAnswer, type Member, type RecordFrame, type SessionEvent, type SessionEventFrame, type ViewState } from "./frames";
import { cutAddress } from "./masking/addresses";
import { Secrecy } from "./masking/secrecy";
import { blot, scrub } from "./masking/text";
import { compileRules, isSelector, plainSettings, type CobrowseSettings, type Rules } from "./settings";
import { Sharing } from "./sharing";
import { Bar, type BarState } from "./ui/bar";
import { ask, type OpenQuestion } from "./ui/dialog";
import { Overlay } from "./ui/overlay";
import { openRoot, type UiRoot } from "./ui/root";
import { wordsIn, type Words } from "./ui/texts";
import type { GuestHost, SessionGuest } from "../visitor/session-host";
import type { SharingOptions } from "../visitor/sharing";
import { watchPage } from "./page";

/** How long the bar's last words stay, in milliseconds. */
const FAREWELL_MS = 3_000;
const AGAIN_MS = 2_000;

export class Guest implements SessionGuest {
  private readonly page: Window;
  private ui: UiRoot | undefined;
  private words: Words = wordsIn([]);
  private bar: Bar | undefined;
  private overlay: Overlay | undefined;
  private question: { readonly to: ConsentTo; readonly open: OpenQuestion } | undefined;
  private sharing: Sharing | undefined;
  private order: RecordFrame | undefined;
  private rules: Rules = compileRules(plainSettings, () => true);
  private secrecy = new Secrecy(this.rules);
  private settled = "";
  private members: readonly Member[] = [];
  private view: ViewState = "off";
  private entering = false;
  private over = false;
  private readonly leavePage: () => void;

  constructor(
    private readonly host: GuestHost,
    readonly session: string,
  ) {
    this.page = host.page;
    this.leavePage = watchPage(this.page, host.environment.clock, {
      moved: () => void this.host.connection.send({ type: "navigate", ...this.place() }),
      active: () => void this.host.connection.send({ type: "activity" }),
    });
    void this.enter();
  }

  welcomed(): void {
    void this.enter();
  }

  /** The visitor's socket is gone; `paged` when the page is, too. */
  away(paged: boolean): void {
    // A drop of the network only: the picture goes on as long as the stream does, and until the page enters again.
    if (!paged) return;
    this.halt();
    this.takeBackQuestion();
  }

  receive(frame: Frame): void {
    if (this.over) return;
    switch (frame.type) {
      case "record":
        return this.ordered(frame as RecordFrame);
      case "ask":
        return this.asked(frame as AskFrame);
      case "sessionevent":
        if ((frame as SessionEventFrame).session === this.session) this.happened((frame as SessionEventFrame).event);
    }
  }

  /** The session is over, or is not this visitor's any more. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.halt();
    this.leavePage();
    this.takeBackQuestion();
    this.overlay?.remove();
    const { ui, bar } = this;
    bar?.end();
    if (ui) this.host.environment.clock.after(bar ? FAREWELL_MS : 0, () => ui.remove());
  }

  private async enter(): Promise<void> {
    if (this.entering || this.over) return;
    this.entering = true;
    try {
      const { agreed = false } = this.host.sharing;
      const answer = await this.host.connection.request<EnterAnswer>({ type: "enter", session: this.session, ...this.place(), ...(agreed && { agreed }) });
      if (this.over) return;
      this.members = answer.members;
      this.view = answer.view;
      const first = this.settled === "";
      this.settle(answer.settings);
      // The title waited for the settings, which say what of it may be told.
      if (first) this.host.connection.send({ type: "navigate", ...this.place() });
      const { code, reference, grace_ms: graceMs, members, settings } = answer;
      this.host.events.emit("sessionentered", { session: this.session, code, reference, graceMs, origins: settings.origins, members });
      this.host.events.emit("sessionevent", { what: "view", state: answer.view, members });
      this.draw();
      // What was ordered before the settings were known.
      if (this.order?.on && !this.sharing) this.share(this.order);
    } catch (error) {
      const code = codeOf(error, "internal");
      if (code === "notfound") this.end();
      else if (code !== "connection" && code !== "closed") this.host.environment.clock.after(AGAIN_MS, () => void this.enter());
    } finally {
      this.entering = false;
    }
  }

  private settle(settings: CobrowseSettings): void {
    const own = this.host.sharing;
    const text = JSON.stringify([settings, own.mask, own.block]);
    if (this.settled !== text) {
      try {
        this.rules = compileRules(settings, isSelector, own);
        this.secrecy = new Secrecy(this.rules);
        this.settled = text;
      } catch (error) {
        // Whoever cannot mask does not record.
        this.settled = "";
        this.host.problem("maskingerror", (error as Error).message);
      }
    }
    const { document, navigator } = this.page;
    this.words = wordsIn([settings.language, document.documentElement.lang, navigator.language], { ...own.texts, ...settings.texts });
  }

  /** Address and title as they may be told: the settings say it once they are known. */
  private place(): { url: string; title: string } {
    const { location, document } = this.page;
    const { patterns, isPrivate } = this.rules;
    const known = this.settled !== "";
    const url = shorten(scrub(cutAddress(location.href), patterns), 2_048);
    const title = known ? scrub(document.title, patterns) : "";
    return { url, title: shorten(isPrivate ? blot(title) : title, 512) };
  }

  private ordered(order: RecordFrame): void {
    this.order = order;
    this.halt();
    if (order.on && !this.entering) this.share(order);
  }

  private share({ epoch, ticket }: RecordFrame): void {
    if (this.over || this.settled === "" || ticket === undefined) return;
    const { page, host, rules, secrecy } = this;
    this.overlay ??= new Overlay(this.root(), host.environment.clock);
    this.sharing = new Sharing(
      {
        page,
        origin: host.origin,
        group: host.group,
        tab: host.tab(),
        environment: host.environment,
        rules,
        secrecy,
        overlay: this.overlay,
        onRefused: () => {
          this.halt();
          host.environment.clock.after(AGAIN_MS, () => void this.enter());
        },
        onProblem: (code, message) => host.problem(code, message),
      },
      { epoch, ticket },
    );
  }

  private halt(): void {
    this.sharing?.stop();
    this.sharing = undefined;
  }

  private asked({ to, agent }: AskFrame): void {
    this.takeBackQuestion();
    const { sharing } = this.host;
    if (to === "control" && sharing.control === false) return this.tell({ type: "consent", to, given: false });
    const name = agent?.name ?? "";
    const open = asksItself(sharing, to, name) ?? this.openDialog(to, name);
    this.question = { to, open };
    void open.answer.then((given) => {
      if (this.question?.open === open) this.question = undefined;
      if (given !== undefined && !this.over) this.tell({ type: "consent", to, given });
    });
  }

  private openDialog(to: ConsentTo, name: string): OpenQuestion {
    const own = this.host.sharing.question?.(to, name);
    return ask(this.root(), {
      title: own?.title ?? this.words(`${to}.title`, [name]),
      text: own?.text ?? this.words(`${to}.text`, [name]),
      accept: own?.accept ?? this.words(`${to}.accept`),
      decline: own?.decline ?? this.words(`${to}.decline`),
    });
  }

  private takeBackQuestion(): void {
    this.question?.open.takeBack();
    this.question = undefined;
  }

  private happened(event: SessionEvent): void {
    this.members = membersAfter(this.members, event);
    if (event.what === "view") this.view = event.state;
    if (event.what === "consent" && event.state !== "asked" && this.question?.to === event.to) this.takeBackQuestion();
    if (event.what === "left") this.overlay?.clear();
    this.host.events.emit("sessionevent", { ...event, members: this.members });
    if (event.what === "ended") return this.end();
    this.draw();
  }

  private draw(): void {
    if (this.over) return;
    this.bar ??= new Bar(this.root(), this.words, {
      pause: (paused) => this.pause(paused),
      stop: () => this.stop(),
    });
    const agents = this.members.filter(({ role }) => role === "agent");
    const state: BarState = this.view === "off" ? (agents.length ? "off" : "waiting") : this.view;
    this.bar.show(state, agents.map(({ name }) => name));
  }

  /** Here it stops at once, whether or not the server hears of it now. */
  private pause(paused: boolean): void {
    if (paused) this.halt();
    this.view = paused ? "paused" : "on";
    this.draw();
    this.tell({ type: "pause", paused });
  }

  private stop(): void {
    this.halt();
    this.tell({ type: "endsession" });
    this.host.events.emit("sessionevent", { what: "ended", reason: "visitor", members: this.members });
    this.end();
  }

  /** What the visitor decides reaches the server, over drops too. */
  private tell(frame: ClientFrame): void {
    this.host.connection.request(frame, { repeat: true, limitMs: 60_000 }).catch(() => {
      // A decision that the server refuses, or about a session that is over, is settled by what it tells next.
    });
  }

  private root(): UiRoot {
    return (this.ui ??= openRoot(this.page));
  }
}

/** The page's own way to ask; one that fails has not agreed. */
function asksItself(sharing: SharingOptions, to: ConsentTo, agent: string): OpenQuestion | undefined {
  const given = sharing.ask?.(to, agent);
  if (!given) return undefined;
  let takeBack!: () => void;
  const takenBack = new Promise<undefined>((resolve) => (takeBack = () => resolve(undefined)));
  return { answer: Promise.race([given.then((agreed) => agreed === true, () => false), takenBack]), takeBack };
}

/** At most `most` bytes, as the protocol says. */
function shorten(text: string, most: number): string {
  const bytes = new TextEncoder().encode(text);
  // What was cut in the middle of a character ends in its stand-in.
  return bytes.length <= most ? text : new TextDecoder().decode(bytes.subarray(0, most - 3)).replace(/\ufffd$/, "");
}
