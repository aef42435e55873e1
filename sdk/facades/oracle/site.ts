/** What the server wrote into the script about the site whose pages load it. */

export interface Site {
  readonly group: string;
  readonly siteCode: string;
  /** What begins a session: a button that the script adds, the page's element with this id, or the page's script alone. */
  readonly launch: "button" | "none" | `#${string}`;
  /** What the visitor must accept before a session begins. */
  readonly terms?: string;
}

/** Where the script came from, and what its address says. Parameters' names are in any case. */
export interface Source {
  readonly origin: string;
  readonly lang: string | undefined;
}

export function sourceOf(page: Window, script: HTMLScriptElement | null): Source {
  const tag = script ?? page.document.querySelector<HTMLScriptElement>('script[src*="/cobrowse/launcher."]');
  const address = new URL(tag?.src || page.location.href, page.location.href);
  const lang = [...address.searchParams].find(([name]) => name.toLowerCase() === "lang")?.[1];
  return { origin: address.origin, lang };
}
