/** What a page tells a session besides its picture: where it moved, and that the visitor does something. */

import type { Clock, TimerHandle } from "../core/environment";
import { watchAddress } from "../visitor/changes";

export interface PageHandlers {
  /** Address or title changed without a load. */
  moved(): void;
  /** The visitor typed, pointed, scrolled or touched. */
  active(): void;
}

/** Least time between two reports of activity, in milliseconds. */
const ACTIVITY_MS = 20_000;
const ACTIONS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "touchstart"] as const;
const TITLE_MS = 500;

/** Watches until the function given back is called. */
export function watchPage(page: Window, clock: Clock, handlers: PageHandlers): () => void {
  let activeAt = -Infinity;
  const act = (event: Event): void => {
    if (!event.isTrusted || clock.now() - activeAt < ACTIVITY_MS) return;
    activeAt = clock.now();
    handlers.active();
  };
  for (const name of ACTIONS) page.addEventListener(name, act, { capture: true, passive: true });

  let told = placeOf(page);
  const look = (): void => {
    const now = placeOf(page);
    if (now === told) return;
    told = now;
    handlers.moved();
  };
  const forgetAddress = watchAddress(page, clock, look);
  let timer: TimerHandle;
  const { document } = page;
  const Observer = (page as unknown as { MutationObserver: typeof MutationObserver }).MutationObserver;
  // A title often changes in several steps.
  const titles = new Observer(() => {
    clock.cancel(timer);
    timer = clock.after(TITLE_MS, look);
  });
  if (document.head) titles.observe(document.head, { childList: true, subtree: true, characterData: true });
  return () => {
    for (const name of ACTIONS) page.removeEventListener(name, act, { capture: true });
    forgetAddress();
    titles.disconnect();
    clock.cancel(timer);
  };
}

const placeOf = (page: Window): string => `${page.location.href.split(/[?#]/, 1)[0] ?? ""} ${page.document.title}`;
