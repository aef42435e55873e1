/** Reaches the `GLANCE` global, which a script tag of the page brings. */

import type { AgentClass, Authorization, Glance, GlanceCobrowse, VisitorClass } from "./glance";

interface Globals {
  GLANCE?: Glance;
  GLANCE_COBROWSE?: GlanceCobrowse;
}

const globals = window as unknown as Globals;

/** The library's own object; an empty one that is kept nowhere while there is none. */
export function glance(): Glance {
  return globals.GLANCE ?? {};
}

export function setSiteSettings(settings: GlanceCobrowse): void {
  globals.GLANCE_COBROWSE = settings;
}

export function groupId(): string {
  return document.getElementById("glance-cobrowse")?.getAttribute("data-groupid") ?? "";
}

/** Waits until `ready` finds what it looks for; fails when the tag cannot load or after 15 s. */
function whenLoaded<T>(tag: Element | null, ready: () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const until = performance.now() + 15_000;
    let ended = false;
    const look = (): void => {
      if (ended) return;
      const found = ready();
      if (found !== undefined) {
        ended = true;
        resolve(found);
      } else if (performance.now() > until) {
        ended = true;
        reject(new Error("the library did not start within 15 seconds"));
      } else {
        setTimeout(look, 40);
      }
    };
    tag?.addEventListener("load", look);
    tag?.addEventListener("error", () => {
      ended = true;
      reject(new Error("the library could not be loaded"));
    });
    look();
  });
}

export function visitorClass(): Promise<VisitorClass> {
  return whenLoaded(document.getElementById("glance-cobrowse"), () => glance().Presence?.Visitor);
}

export function agentLibrary(): Promise<{ Agent: AgentClass; Authorization: Authorization }> {
  return whenLoaded(document.querySelector('script[src*="PresenceAgent"]'), () => {
    const { Presence, Authorization } = glance();
    return Presence?.Agent && Authorization ? { Agent: Presence.Agent, Authorization } : undefined;
  });
}
