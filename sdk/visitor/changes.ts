/** Notices that a page goes on under another address, without touching its `history`. */

import type { Clock, TimerHandle } from "../core/environment";

// A single-page site sets the title a moment after the address.
const SETTLE_MS = 250;

type NavigationWindow = Window & { readonly navigation?: EventTarget };

/**
 * Calls `changed` soon after the address may have changed: by the Navigation API, or where there is
 * none whenever the visitor did something that could have caused it. `changed` compares for itself.
 * Gives back the function that ends it.
 */
export function watchAddress(page: Window, clock: Clock, changed: () => void): () => void {
  let timer: TimerHandle;
  const soon = (): void => {
    clock.cancel(timer);
    timer = clock.after(SETTLE_MS, changed);
  };
  const { navigation } = page as NavigationWindow;
  const sources: [EventTarget, readonly string[]][] = navigation
    ? [[navigation, ["currententrychange"]]]
    : [[page, ["popstate", "hashchange", "click", "keyup"]]];
  // A script in the head runs before the title is read.
  sources.push([page, ["load"]]);
  const options = { capture: true, passive: true };
  for (const [target, events] of sources) {
    for (const event of events) target.addEventListener(event, soon, options);
  }
  return () => {
    clock.cancel(timer);
    for (const [target, events] of sources) {
      for (const event of events) target.removeEventListener(event, soon, options);
    }
  };
}
