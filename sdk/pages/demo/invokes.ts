/** Functions that an agent may call on this page by name, under `GLANCE.Demo`. */

import { glance } from "../shared/facade";

function field(args: unknown, name: string): string {
  const value = typeof args === "object" && args !== null ? (args as Record<string, unknown>)[name] : args;
  if (typeof value !== "string" || value === "") throw new Error(`"${name}" must be a text`);
  return value;
}

/** Points at something on the page. A selector that finds nothing is an error, which the agent is told. */
function highlight(args: unknown): void {
  const selector = field(args, "selector");
  const element = document.querySelector<HTMLElement>(selector);
  if (!element) throw new Error(`nothing on this page matches ${selector}`);
  for (const old of document.querySelectorAll(".pointed-at")) old.classList.remove("pointed-at");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
  element.classList.add("pointed-at");
  setTimeout(() => element.classList.remove("pointed-at"), 6000);
}

/** Goes to another page of the shop, and nowhere else. */
function openPage(args: unknown): void {
  const target = new URL(field(args, "path"), location.origin);
  const shop = target.origin === location.origin && target.pathname.startsWith("/demo/");
  if (!shop || target.pathname.startsWith("/demo/agent")) throw new Error("only pages of this shop can be opened");
  location.assign(target.href);
}

export function offerFunctions(): void {
  glance().Demo = { highlight, openPage };
}
