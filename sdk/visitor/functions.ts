/** Calls the page's function that an agent named, and no other. */

import { codeOf, VestibuleError } from "../core/errors";
import { checkFunctionName } from "../core/limits";

/** Why a call failed, as the `failed` frame says it. */
export interface CallFailure {
  readonly code: "unknownfunction" | "forbiddenfunction" | "exception";
  readonly msg: string;
}

/**
 * Calls the function with `args`, with its owner as `this`, and waits for a promise that it gives
 * back. Resolves own properties only, from `root` down; nothing inherited can be reached.
 */
export async function callFunction(root: object, name: string, args: unknown): Promise<CallFailure | undefined> {
  try {
    checkFunctionName(name);
    let owner: unknown;
    let value: unknown = root;
    for (const part of name.split(".")) {
      owner = value;
      value = ownProperty(owner, part);
    }
    if (typeof value !== "function") throw new VestibuleError("unknownfunction", `${name} is no function of this page`);
    await (value as (this: unknown, args: unknown) => unknown).call(owner, args);
    return undefined;
  } catch (error) {
    const code = codeOf(error, "exception");
    const known = code === "unknownfunction" || code === "forbiddenfunction" ? code : "exception";
    return { code: known, msg: shortened(String((error as Error | undefined)?.message ?? error)) };
  }
}

/** The server takes 1,000 bytes; what is left out shows. */
const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);

function ownProperty(owner: unknown, name: string): unknown {
  const holds = (typeof owner === "object" && owner !== null) || typeof owner === "function";
  if (!holds || !Object.prototype.hasOwnProperty.call(owner, name)) return undefined;
  return (owner as Record<string, unknown>)[name];
}
