/** The contents at the side, the search, and the mark of where the reader is. */

import { byId, find, findAll, h, replace, setText } from "../shared/dom";
import { plural } from "../shared/format";
import type { Part } from "./parts";

interface Entry {
  words: string;
  element: HTMLElement;
  link: HTMLElement;
}

function entryLink(id: string, label: string, badge: string): HTMLElement {
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#${id}` },
      badge && h("span", { class: `nav-badge ${/^\w+$/.test(badge) ? badge.toLowerCase() : "arrow"}` }, badge),
      h("span", {}, label),
    ),
  );
}

export function wireNavigation(parts: Part[]): void {
  const known: Entry[] = [];
  const groups = parts.map((part) => {
    const links = part.items.map((item) => {
      const link = entryLink(item.id, item.label, item.badge);
      known.push({
        element: item.element,
        link,
        words: `${part.title} ${item.label} ${item.element.textContent ?? ""}`.toLowerCase(),
      });
      return link;
    });
    return h(
      "div",
      { class: "nav-part", "data-part": part.id },
      h("a", { class: "nav-title", href: `#${part.id}` }, part.title),
      h("ul", { role: "list" }, ...links),
    );
  });
  replace(byId("nav-list"), ...groups);

  const search = byId<HTMLInputElement>("search");
  const filter = (): void => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { element, link, words } of known) {
      const hit = wanted.every((word) => words.includes(word));
      element.hidden = !hit;
      link.hidden = !hit;
      if (hit) found += 1;
    }
    for (const part of findAll(".part")) part.hidden = find(".item:not([hidden])", part) === null;
    for (const group of groups) group.hidden = find("li:not([hidden])", group) === null;
    byId("nothing").hidden = found > 0;
    setText(byId("search-found"), wanted.length > 0 ? `${plural(found, "entry", "entries")} found` : "");
  };
  search.addEventListener("input", filter);
  byId("search-clear").addEventListener("click", () => {
    search.value = "";
    filter();
    search.focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "Escape" && event.target === search) byId("search-clear").click();
  });

  markPlace(known);
  foldOnNarrow();
}

function markPlace(known: Entry[]): void {
  const seen = new IntersectionObserver(
    (changes) => {
      for (const change of changes) {
        if (!change.isIntersecting) continue;
        for (const { element, link } of known) {
          const anchor = link.firstElementChild;
          if (element === change.target) {
            anchor?.setAttribute("aria-current", "true");
            keepInView(link);
          } else {
            anchor?.removeAttribute("aria-current");
          }
        }
      }
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  for (const { element } of known) seen.observe(element);
}

/** Scrolls the contents only; the page must stay where the reader put it. */
function keepInView(link: HTMLElement): void {
  const pane = byId("nav");
  const box = link.getBoundingClientRect();
  const frame = pane.getBoundingClientRect();
  if (box.top < frame.top + 40) pane.scrollTop -= frame.top + 40 - box.top;
  else if (box.bottom > frame.bottom - 40) pane.scrollTop += box.bottom - frame.bottom + 40;
}

function foldOnNarrow(): void {
  const narrow = matchMedia("(max-width: 56rem)");
  const fold = byId<HTMLDetailsElement>("nav-fold");
  const apply = (): void => {
    fold.open = !narrow.matches;
  };
  narrow.addEventListener("change", apply);
  fold.addEventListener("click", (event) => {
    if (narrow.matches && event.target instanceof Element && event.target.closest("a")) fold.open = false;
  });
  apply();
}
