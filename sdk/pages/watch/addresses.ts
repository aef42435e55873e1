/**
 * What comes from a visitor's page is made fit for this document once more, whatever his browser did: only known events
 * and fields, no code, and no address but those of the session's own assets.
 */

import type { Described } from "../../cobrowse/masking/attributes";
import { masked, type Scene } from "../../cobrowse/masking/event";
import type { MaskedEvent, RecordedEvent } from "../../cobrowse/masking/events";

export interface ReplayedPage {
  /** The element with this number, as it is replayed; nothing while it has not come. */
  element(id: number): Element | null;
}

/** Reads the events of a message of the page `epoch`. Throws when they are none. */
export function readEvents(payload: string, epoch: number, assets: string, page: ReplayedPage): MaskedEvent[] {
  const folder = `${assets}/${epoch}/`;
  const events = JSON.parse(payload.replace(/vestibule-asset:(\d{1,9})/g, (_, asset: string) => folder + asset)) as unknown;
  if (!Array.isArray(events)) throw new Error("the payload is no list of events");
  const scene: Scene = {
    patterns: [],
    base: "about:blank",
    nameAsset: (address) => (address.startsWith(folder) ? address : ""),
    link: () => "#",
    element: (id) => describe(page.element(id)),
  };
  return (events as RecordedEvent[]).flatMap((event) => masked(event, scene) ?? []);
}

/** The visitor's browser said what is masked; here everything that came may be shown. */
function describe(element: Element | null): Described {
  const attribute = (name: string): string | null => element?.getAttribute(name) ?? null;
  return { tag: element?.localName ?? "", treatment: "open", isSvg: element?.namespaceURI === "http://www.w3.org/2000/svg", attribute };
}
