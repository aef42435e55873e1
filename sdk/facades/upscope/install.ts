/** Puts the global `Upscope` in place, and carries out what the page called before the script was there. */

import { Client } from "./client";
import { Commands } from "./commands";
import type { Config } from "./config";

export type Call = readonly unknown[];

interface Stub {
  (...call: Call): void;
  /** What was called so far, each as `arguments` or a list. */
  readonly q?: readonly ArrayLike<unknown>[];
}

interface Installed {
  (...call: Call): void;
  readonly installed?: true;
}

/** Loaded twice it installs once. `script` is the tag that brings it: its address names the server, and may name the group. */
export function install(page: Window, script: HTMLScriptElement | null): void {
  const globals = page as unknown as { Upscope?: Stub & Installed };
  const before = globals.Upscope;
  if (before?.installed) return;
  const address = new URL(script?.src || page.location.href, page.location.href);
  const commands = new Commands(new Client(page, address.host ? address.origin : page.location.origin, ofTag(address, script)));
  const upscope = Object.assign((...call: Call) => commands.call(call), { installed: true as const });
  globals.Upscope = upscope;
  for (const call of before?.q ?? []) upscope(...Array.from(call));
}

/** What the tag itself says. */
function ofTag(address: URL, script: HTMLScriptElement | null): Config {
  const apiKey = address.searchParams.get("apiKey") ?? script?.dataset["apiKey"];
  return apiKey ? { apiKey } : {};
}
