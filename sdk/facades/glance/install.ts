/** Puts the interfaces under `GLANCE`; a script that is loaded twice installs once. */

import { defineAgent } from "./agent";
import { Authorization } from "./authorization";
import { CobrowseVisitor, type LoadDialog } from "./cobrowse";
import { namespace } from "./namespace";
import { Settings } from "./settings";
import { defineVisitor } from "./visitor";

const TERMS = "/cobrowse/CobrowseJS.ashx?script=Terms";

/** Installs the visitor's side, and starts presence when the tag says `data-presence="on"`. */
export function installVisitor(page: Window, script: HTMLScriptElement | null, dialog?: LoadDialog): void {
  const presence = namespace(page, "Presence");
  if (presence.Visitor) return;
  const settings = new Settings(page, script);
  const Visitor = defineVisitor(settings);
  presence.Visitor = Visitor;
  namespace(page, "Cobrowse").Visitor ??= new CobrowseVisitor(page, settings, Visitor, dialog ?? (() => import(/* @vite-ignore */ `${settings.presenceOrigin()}${TERMS}`)));

  const start = (): void => {
    // The page's own object, made meanwhile, goes before ours.
    if (!settings.automatic || Visitor.instance) return;
    const visitor = new Visitor();
    visitor.presence();
    visitor.connect();
  };
  const { document } = page;
  if (settings.attribute("presence") !== undefined || document.readyState !== "loading") start();
  else document.addEventListener("DOMContentLoaded", start, { once: true });
}

/** Installs the agent's side. */
export function installAgent(page: Window, script: HTMLScriptElement | null): void {
  const presence = namespace(page, "Presence");
  if (presence.Agent) return;
  const settings = new Settings(page, script);
  const authorization = new Authorization(settings);
  presence.Agent = defineAgent(settings, authorization);
  const { authorize, setToken } = authorization;
  Object.assign(namespace(page, "Authorization"), { authorize, setToken });
}
