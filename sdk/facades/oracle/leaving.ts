/** Links that lead away from the site, out of the session. */

/** The address that a click leads this page to, if that is no page of the site. */
export function awayBy(event: MouseEvent, page: Window, origins: readonly string[]): string | undefined {
  // Another tab or a download leaves this page where it is.
  const stays = event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (stays) return undefined;
  const link = event.composedPath().find((element): element is HTMLAnchorElement | HTMLAreaElement => /^(?:a|area)$/i.test((element as Element).localName ?? ""));
  if (!link?.href || link.hasAttribute("download") || !/^(?:_self|_top|_parent)?$/i.test(link.target)) return undefined;
  const { protocol, origin } = new URL(link.href, page.location.href);
  const isOurs = origin === page.location.origin || origins.includes(origin);
  return /^https?:$/.test(protocol) && !isOurs ? link.href : undefined;
}
