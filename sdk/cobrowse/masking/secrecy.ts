/** Who may be read: decides for each node of the live page whether it is open, masked or left out. */

import type { Rules } from "../settings";

/** `masked`: text and values are blotted out. `blocked`: only a box of its size is shown. */
export type Treatment = "open" | "masked" | "blocked";

interface Level {
  readonly blocked: boolean;
  readonly masked: boolean;
  /** Whether it is readable in private mode. */
  readonly allowed: boolean;
}

const FIELDS = new Set(["input", "textarea", "select"]);
const SECRET_AUTOCOMPLETE = /(?:^|\s)(?:cc-[a-z-]+|one-time-code|[a-z]+-password)(?:\s|$)/;
/** Fields that no `autocomplete` declares, by what their authors call them. */
const SECRET_NAME =
  /passw|passphrase|passcode|(?:^|[^a-z])(?:pwd|pin|otp|totp|cvv|cvc|csc|cv2|iban)(?:[^a-z]|$)|card.?(?:num|no|code)|cc.?(?:num|csc|cvv|cvc)|security.?code|(?:^|[^a-z])ssn(?:[^a-z]|$)/i;

/** Whether what these attributes describe is a field whose value nobody else may read. */
export function isSecretField(tag: string, attribute: (name: string) => string | null | undefined): boolean {
  if (!FIELDS.has(tag)) return false;
  if (attribute("type")?.toLowerCase() === "password" || attribute("data-rr-is-password")) return true;
  if (SECRET_AUTOCOMPLETE.test(attribute("autocomplete")?.toLowerCase() ?? "")) return true;
  return SECRET_NAME.test(`${attribute("name") ?? ""} ${attribute("id") ?? ""}`);
}

export class Secrecy {
  /** Fields that held a secret once: what was a password stays one when its type is toggled. */
  private readonly secretFields = new WeakSet<Element>();
  private levels = new WeakMap<Node, Level>();
  private readonly root: Level;

  constructor(private readonly rules: Rules) {
    this.root = { blocked: false, masked: false, allowed: !rules.isPrivate };
  }

  /** The page may have changed: what was found out is looked up again. */
  refresh(): void {
    this.levels = new WeakMap();
  }

  treatmentOf(node: Node): Treatment {
    const level = this.levelOf(node);
    if (level.blocked) return "blocked";
    return level.masked || !level.allowed ? "masked" : "open";
  }

  /** Looks at the field that an event came from, wherever it is, before the event changes anything. */
  notice(event: Event): void {
    const target = (event.composedPath()[0] ?? event.target) as Element | null;
    if (target?.nodeType === 1) this.isSecret(target);
  }

  private levelOf(node: Node): Level {
    const known = this.levels.get(node);
    if (known) return known;
    const above = nodeAbove(node);
    const level = this.below(node, above ? this.levelOf(above) : this.root);
    this.levels.set(node, level);
    return level;
  }

  private below(node: Node, above: Level): Level {
    if (node.nodeType !== 1 || above.blocked) return above;
    const element = node as Element;
    const { maskSelector, blockSelector, openSelector } = this.rules;
    const blocked = element.matches(blockSelector);
    const masked = above.masked || element.matches(maskSelector) || this.isSecret(element);
    const allowed = above.allowed || element.matches(openSelector);
    const same = blocked === above.blocked && masked === above.masked && allowed === above.allowed;
    return same ? above : { blocked, masked, allowed };
  }

  private isSecret(element: Element): boolean {
    if (this.secretFields.has(element)) return true;
    const secret = isSecretField(element.localName, (name) => element.getAttribute(name));
    if (secret) this.secretFields.add(element);
    return secret;
  }
}

/** The parent, across the borders of shadow trees and of frames of the same origin. */
function nodeAbove(node: Node): Node | null {
  if (node.parentNode) return node.parentNode;
  if (node.nodeType === 11) return (node as ShadowRoot).host ?? null;
  if (node.nodeType !== 9) return null;
  try {
    return (node as Document).defaultView?.frameElement ?? null;
  } catch {
    return null;
  }
}
