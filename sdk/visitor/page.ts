/** What every presence update says of the page itself. */

import { byteLength, limits, type PresenceData } from "../core/limits";

/** Where a page is: a window, or what is known of one. */
export interface PagePlace {
  readonly location: { readonly href: string };
  readonly document: { readonly title: string; readonly referrer: string };
}

interface Brand {
  readonly brand: string;
  readonly version: string;
}

type PageNavigator = Navigator & {
  readonly userAgentData?: { readonly brands: readonly Brand[]; readonly platform: string };
};

// Order matters: most browsers also name the ones that they descend from.
const browsers: readonly (readonly [string, RegExp])[] = [
  ["Edge", /Edg(?:e|A|iOS)?\/([\d.]+)/],
  ["Opera", /OPR\/([\d.]+)/],
  ["Samsung Internet", /SamsungBrowser\/([\d.]+)/],
  ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
  ["Chrome", /(?:Chrome|CriOS)\/([\d.]+)/],
  ["Safari", /Version\/([\d.]+).*Safari/],
];

const platforms: readonly (readonly [string, RegExp])[] = [
  ["iOS", /iPhone|iPad|iPod/],
  ["Android", /Android/],
  ["Windows", /Windows/],
  ["macOS", /Macintosh|Mac OS X/],
  ["Chrome OS", /CrOS/],
  ["Linux", /Linux/],
];

/** Name and version of the browser; `Unknown` and an empty version when it does not say. */
export function describeBrowser(navigator: PageNavigator): { browser: string; browserver: string; platform: string } {
  const agent = navigator.userAgent;
  const hints = navigator.userAgentData;
  const named = hints?.brands.filter(({ brand }) => !/not.?a.?brand/i.test(brand.replace(/\W/g, "")));
  const brand = named?.find((entry) => entry.brand !== "Chromium") ?? named?.[0];
  const platform = hints?.platform || platforms.find(([, pattern]) => pattern.test(agent))?.[0] || "Unknown";
  if (brand) {
    return { browser: brand.brand.replace(/^(Google|Microsoft) /, ""), browserver: brand.version, platform };
  }
  for (const [browser, pattern] of browsers) {
    const version = pattern.exec(agent)?.[1];
    if (version) return { browser, browserver: version, platform };
  }
  return { browser: "Unknown", browserver: "", platform };
}

/**
 * The page's fields. Unlike the site's own data they are shortened to fit the limit of one value:
 * a long address loses its fragment, then its query; a title loses its end.
 */
export function describePage({ navigator }: Window, { document, location }: PagePlace): PresenceData {
  return {
    url: shortAddress(location.href),
    title: shorten(document.title),
    referrer: shortAddress(document.referrer),
    ...describeBrowser(navigator),
    language: navigator.language || "",
  };
}

function shortAddress(address: string): string {
  for (const text of [address, address.split("#")[0], address.split(/[?#]/)[0]]) {
    if (text !== undefined && byteLength(text) <= limits.valueBytes) return text;
  }
  return shorten(address);
}

function shorten(text: string): string {
  if (byteLength(text) <= limits.valueBytes) return text;
  let kept = Array.from(text).slice(0, limits.valueBytes);
  while (byteLength(kept.join("")) > limits.valueBytes - 3) kept = kept.slice(0, kept.length - 8);
  return `${kept.join("")}…`;
}
