/** Small acts on a page. */

import type { Page } from "playwright-core";

/** Makes the page believe that it was hidden or shown; a test's browser has one window only. */
export function setVisibility(page: Page, visibility: "visible" | "hidden"): Promise<void> {
  return page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visibility);
}

/** Goes back or forward; the driver's own `goBack` waits forever for a page from the back-forward cache. */
export async function travel(page: Page, steps: number): Promise<void> {
  await page.evaluate((by) => history.go(by), steps);
}

/** Leaves the site as a visitor does who follows a link elsewhere; the tab stays. */
export async function leave(page: Page): Promise<void> {
  await page.goto("about:blank");
}
