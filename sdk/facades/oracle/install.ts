/** Puts `Cobrowse` into the page and ties it to the visitor's connection. */

import { browserEnvironment } from "../../core/environment";
import { pageIdentity } from "../../core/identity";
import { Visitor } from "../../visitor/visitor";
import { makeCobrowse, type Cobrowse } from "./api";
import { Events } from "./events";
import { nameOf } from "./languages";
import { awayBy } from "./leaving";
import { Link } from "./link";
import { Machine } from "./machine";
import { Screen } from "./screen";
import { sourceOf, type Site } from "./site";
import { isActive, Reasons, States } from "./states";
import type { UiModule, View } from "./ui";

/** What a browser must have to show its page. */
const NEEDED = ["WebSocket", "MutationObserver", "crypto"];
/** Ends that the visitor is told of: he did not bring them about himself. */
const surprises: readonly string[] = Object.values(Reasons).filter((reason) => reason !== Reasons.user);

/** Installs once; `load` gets the part that draws. */
export function install(
  page: Window & { Cobrowse?: Partial<Cobrowse> },
  script: HTMLScriptElement | null,
  site: Site,
  load: (origin: string) => Promise<UiModule>,
): void {
  if (page.Cobrowse?.API) return;
  const { origin, lang } = sourceOf(page, script);
  const core = new Visitor({ server: origin, group: site.group });
  const machine = new Machine(site.siteCode);
  const events = new Events();
  let ended: string | undefined;
  let isAsking = false;

  const screen = new Screen(page, () => load(origin), () => view(), {
    start: () => void Session.start(),
    stop: () => void Session.stop(),
    dismiss() {
      ended = undefined;
      screen.draw();
    },
  });
  const onChange = (): void => screen.draw();
  const link = new Link({ core, machine, events, clock: browserEnvironment.clock, store: pageIdentity().stores.tab, onChange });
  const cobrowse = makeCobrowse({
    machine,
    link,
    sources: events.sources,
    isAble: NEEDED.every((name) => name in page),
    language: lang,
    agree: () => (site.terms === undefined ? undefined : accepts(site.terms)),
    onChange,
  });
  const { Session, DefaultUI } = cobrowse.API;
  const language = (): string => nameOf(DefaultUI.getLanguage());

  function view(): View {
    const { state, accessCode, SID } = machine;
    const waits = !isAsking && SID === undefined && (state === States.STARTING || (state === States.ACTIVE_WAIT && accessCode !== undefined));
    return {
      language: language(),
      button: site.launch === "button" && state === States.READY,
      code: DefaultUI.liveExpertPanelEnabled && waits ? (accessCode ?? "") : undefined,
      ended: DefaultUI.sessionEndedPopupEnabled ? ended : undefined,
    };
  }

  /** Has the visitor read and accept the terms; agents who watch him hear of it. */
  async function accepts(terms: string): Promise<boolean> {
    isAsking = true;
    core.reportTerms("displayed");
    try {
      const accepted = await screen.ask({ about: "terms", language: language(), text: terms });
      core.reportTerms(accepted ? "accepted" : "declined");
      return accepted;
    } finally {
      isAsking = false;
      screen.draw();
    }
  }

  function leaves(event: MouseEvent): void {
    const url = isActive(machine.state) ? awayBy(event, page, link.origins) : undefined;
    if (url === undefined) return;
    link.apply({ what: "leaves", url });
    if (!DefaultUI.navigatingAwayPopupEnabled) return;
    event.preventDefault();
    const answer = screen.ask({ about: "leaving", language: language(), text: new URL(url).host });
    // A question that cannot be asked keeps nobody.
    void answer.catch(() => true).then((goes) => goes && page.location.assign(url));
  }

  const sayEnd = (reason?: string): void => {
    ended = reason !== undefined && surprises.includes(reason) ? reason : undefined;
    screen.draw();
  };
  events.sources.SessionEnded.listen(({ reason }) => sayEnd(reason));
  events.sources.SessionStarting.listen(() => sayEnd());
  page.addEventListener("click", (event) => {
    const id = site.launch.startsWith("#") && site.launch.slice(1);
    const launches = event.composedPath().some((element) => id && (element as Element).id === id);
    if (launches) Session.start();
    leaves(event);
  });

  page.Cobrowse = cobrowse;
  // Report-only: a page like this has no handler for agents' signals.
  core.presence().catch(() => {});
}
