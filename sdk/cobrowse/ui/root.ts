/** One closed shadow root for all that the visitor sees of a session; it is in no recording. */

import { OWN } from "../masking/attributes";
import { adoptStyle } from "./adopt";
import { style } from "./style";

export interface UiRoot {
  readonly page: Window;
  readonly root: ShadowRoot;
  make<Name extends keyof HTMLElementTagNameMap>(name: Name, part: string, text?: string): HTMLElementTagNameMap[Name];
  remove(): void;
}

export function openRoot(page: Window): UiRoot {
  const { document } = page;
  const host = document.createElement("div");
  host.setAttribute("data-vestibule-block", "");
  host.setAttribute(OWN, "");
  const root = host.attachShadow({ mode: "closed" });
  adoptStyle(page, root, style);
  const attach = (): void => void document.documentElement.append(host);
  attach();
  // A modal dialog of the page shuts out everything beside it; the visitor can pause and stop all the same.
  const follow = (event: Event): void => {
    const modal = event.type === "focusin" && (event.target as Element).closest?.("dialog:modal");
    if (modal && !modal.contains(host)) modal.append(host);
    else if (!host.isConnected || (event.type === "close" && (event.target as Element).contains(host))) attach();
  };
  for (const name of ["focusin", "close"]) document.addEventListener(name, follow, true);
  // A page that replaces its whole body must not take away what tells the visitor that he is seen.
  const Observer = (page as unknown as { MutationObserver?: typeof MutationObserver }).MutationObserver;
  const observer = Observer && new Observer(() => host.isConnected || attach());
  observer?.observe(document, { childList: true });
  observer?.observe(document.documentElement, { childList: true });
  return {
    page,
    root,
    make(name, part, text = "") {
      const element = document.createElement(name);
      element.setAttribute("part", part);
      element.textContent = text;
      return element;
    },
    remove() {
      observer?.disconnect();
      for (const name of ["focusin", "close"]) document.removeEventListener(name, follow, true);
      host.remove();
    },
  };
}
