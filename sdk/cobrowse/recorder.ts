/** Records the page by rrweb; what it says passes our own masking before anybody else sees it. */

import { record } from "@rrweb/record";
import type { AssetNamer } from "./masking/addresses";
import type { Described } from "./masking/attributes";
import { masked, type Scene } from "./masking/event";
import { EventKind, type MaskedEvent, type RecordedEvent } from "./masking/events";
import { Secrecy, type Treatment } from "./masking/secrecy";
import { blot, scrubTyped } from "./masking/text";
import type { Rules } from "./settings";

export interface Recording {
  /** Tells the page as it is now, from the beginning. */
  keyFrame(): void;
  /** Nothing is recorded from here on. */
  stop(): void;
}

export interface RecorderOptions {
  readonly page: Window;
  readonly rules: Rules;
  readonly secrecy: Secrecy;
  readonly nameAsset: AssetNamer;
  emit(event: MaskedEvent): void;
  /** What was told is out of date: an element that was readable is so no more, or the page turned dark. */
  onOutdated(): void;
}

const noElement = (treatment: Treatment): Described => ({ tag: "", treatment, attribute: () => null });

/** Begins with a whole picture of the page, told before this returns. The page's document is not loading any more. */
export function startRecording(options: RecorderOptions): Recording {
  const { page, rules, secrecy } = options;
  const { mirror } = record;
  /** What was told of an element last. */
  const told = new WeakMap<Node, Treatment>();
  let isStricter = false;

  const judge = (node: Node): Treatment => {
    const treatment = secrecy.treatmentOf(node);
    const before = told.get(node);
    if (before === "open" && treatment !== "open") isStricter = true;
    told.set(node, treatment);
    return treatment;
  };
  const scene: Scene = {
    patterns: rules.patterns,
    base: page.document.baseURI,
    nameAsset: options.nameAsset,
    element(id) {
      const node = mirror.getNode(id);
      if (!node) return undefined;
      const treatment = judge(node);
      const element = node.nodeType === 1 ? (node as Element) : node.parentElement;
      return element ? describe(element, treatment) : noElement(treatment);
    },
  };
  const darkness = page.matchMedia?.("(prefers-color-scheme: dark)");
  const take = (event: unknown): void => {
    secrecy.refresh();
    isStricter = false;
    const { type, data } = event as RecordedEvent;
    // Agents see the page as light or dark as the visitor does.
    if (type === EventKind.Meta) data.scheme = darkness?.matches ? "dark" : "light";
    const safe = masked(event as RecordedEvent, scene);
    if (safe) options.emit(safe);
    if (isStricter) options.onOutdated();
  };
  // rrweb masks what it can by itself: the first of two lines.
  const stop = record({
    emit: take,
    blockSelector: rules.blockSelector,
    maskTextSelector: rules.maskSelector,
    maskTextFn: blot,
    maskInputOptions: fieldKinds,
    maskInputFn: (value, element) => (secrecy.treatmentOf(element) === "open" ? scrubTyped(value, rules.patterns) : blot(value)),
    slimDOMOptions: { script: true, comment: true, headFavicon: true, headMetaSocial: true, headMetaRobots: true, headMetaHttpEquiv: true, headMetaVerification: true, headMetaAuthorship: true, headMetaDescKeywords: true },
    // Every move of the mouse, told together: rrweb would leave out the last one, where the mouse rests.
    sampling: { mousemove: 0, mousemoveCallback: 50, scroll: 40 },
    inlineStylesheet: true,
    recordAfter: "DOMContentLoaded",
    errorHandler: () => true,
  });
  const keyFrame = (): void => record.takeFullSnapshot(true);
  darkness?.addEventListener("change", options.onOutdated);
  const notice = (event: Event): void => secrecy.notice(event);
  const noticed = ["focusin", "beforeinput", "input", "change"] as const;
  for (const name of noticed) page.addEventListener(name, notice, { capture: true, passive: true });
  return {
    keyFrame,
    stop() {
      stop?.();
      darkness?.removeEventListener("change", options.onOutdated);
      for (const name of noticed) page.removeEventListener(name, notice, { capture: true });
    },
  };
}

function describe(element: Element, treatment: Treatment): Described {
  const tag = element.localName;
  return {
    tag,
    treatment,
    isSvg: element.namespaceURI === "http://www.w3.org/2000/svg",
    attribute: (name) => element.getAttribute(name),
    chosen: chosenPicture(element),
    ...(tag === "style" && element.textContent && { written: element.textContent }),
  };
}

function chosenPicture(element: Element): string | undefined {
  const picture = element.localName === "source" ? element.parentElement?.querySelector("img") : element;
  return (picture as HTMLImageElement | null | undefined)?.currentSrc || undefined;
}

/** All kinds of fields whose value is text; `select` is left out, since rrweb then forgets what is chosen. */
const fieldKinds = {
  color: true,
  date: true,
  "datetime-local": true,
  email: true,
  month: true,
  number: true,
  range: true,
  search: true,
  tel: true,
  text: true,
  time: true,
  url: true,
  week: true,
  textarea: true,
  password: true,
};
