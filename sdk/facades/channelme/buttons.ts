/** What the page knows of its chat buttons: which somebody answers. */

import type { Broker } from "./broker";
import { ofButton } from "./topics";

const OF_A_BUTTON = /^~\/site_connect\/chat_button\/([^/+#]+)\/(enabled|disabled|[+#])$/;

export class Buttons {
  private readonly enabledByButton = new Map<string, boolean>();
  private isKnown = false;

  constructor(private readonly broker: Broker) {}

  /** These are answered, and no others. */
  all(enabled: readonly string[]): void {
    this.isKnown = true;
    const named = [...this.broker.filters].flatMap((filter) => OF_A_BUTTON.exec(filter)?.[1] ?? []);
    for (const button of new Set([...this.enabledByButton.keys(), ...enabled, ...named])) this.change(button, enabled.includes(button));
  }

  change(button: string, enabled: boolean): void {
    if (this.enabledByButton.get(button) === enabled) return;
    this.enabledByButton.set(button, enabled);
    this.broker.forget(ofButton(button, !enabled));
    this.broker.announce(ofButton(button, enabled), undefined, true);
  }

  /** Somebody is about to subscribe: a button that nobody has heard of is one that nobody answers. */
  named(filter: unknown): void {
    const button = typeof filter === "string" ? OF_A_BUTTON.exec(filter)?.[1] : undefined;
    if (!this.isKnown || button === undefined || this.enabledByButton.has(button)) return;
    this.enabledByButton.set(button, false);
    this.broker.retain(ofButton(button, false), undefined);
  }

  /** Nothing is known any more. */
  clear(): void {
    for (const [button, enabled] of this.enabledByButton) this.broker.forget(ofButton(button, enabled));
    this.enabledByButton.clear();
    this.isKnown = false;
  }
}
