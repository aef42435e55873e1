/** The global `GLANCE`: two scripts may add to it, in any order. */

import { reportLater } from "../../core/errors";

type Namespace = Record<string, unknown>;

/** Level of the interface that is spoken here; pages test for functions rather than for this. */
const VERSION = "5.7.0";

/** The object at `path` below `GLANCE`, made where it is missing. */
export function namespace(page: Window, ...path: string[]): Namespace {
  const root = page as unknown as Namespace;
  const glance = (root.GLANCE ??= {}) as Namespace;
  glance.VERSION ??= VERSION;
  glance.PATCH ??= "0";
  return path.reduce((parent, name) => (parent[name] ??= {}) as Namespace, glance);
}

/** Calls a handler if it is a function. What it throws surfaces as the page's own mistake. */
export function callHandler(owner: unknown, handler: unknown, ...args: unknown[]): void {
  if (typeof handler !== "function") return;
  try {
    handler.apply(owner, args);
  } catch (error) {
    reportLater(error);
  }
}
