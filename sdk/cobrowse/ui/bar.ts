/** The visitor's bar: who sees his page, pause, stop. It is there as long as the session. */

import type { UiRoot } from "./root";
import type { Words } from "./texts";

export type BarState = "waiting" | "off" | "on" | "paused";

export interface BarHandlers {
  pause(paused: boolean): void;
  stop(): void;
}

export class Bar {
  private readonly element: HTMLElement;
  private readonly words: HTMLElement;
  private readonly pause: HTMLButtonElement;
  private state: BarState = "waiting";

  constructor(
    ui: UiRoot,
    private readonly texts: Words,
    handlers: BarHandlers,
  ) {
    this.element = ui.make("section", "bar");
    this.element.setAttribute("aria-label", texts("bar.label"));
    const dot = ui.make("span", "light");
    dot.setAttribute("aria-hidden", "true");
    this.words = ui.make("span", "words");
    this.words.setAttribute("role", "status");
    this.words.setAttribute("aria-live", "polite");
    this.pause = ui.make("button", "button pause", texts("bar.pause"));
    const stop = ui.make("button", "button stop", texts("bar.stop"));
    this.pause.type = stop.type = "button";
    this.pause.addEventListener("click", () => handlers.pause(this.state !== "paused"));
    stop.addEventListener("click", () => handlers.stop());
    this.element.append(dot, this.words, this.pause, stop);
    ui.root.append(this.element);
    this.show("waiting", []);
  }

  /** `names` of the agents who see the page. */
  show(state: BarState, names: readonly string[]): void {
    this.state = state;
    this.element.dataset.state = state;
    const key = state === "on" && names.length > 1 ? "bar.on.many" : (`bar.${state}` as const);
    const text = this.texts(key, names);
    // Written only when it differs: screen readers would read it out again.
    if (this.words.textContent !== text) this.words.textContent = text;
    this.pause.hidden = state !== "on" && state !== "paused";
    this.pause.textContent = this.texts(state === "paused" ? "bar.continue" : "bar.pause");
  }

  /** The last words, read out before the bar goes. */
  end(): void {
    this.element.dataset.state = "ended";
    this.words.textContent = this.texts("bar.ended");
    for (const button of this.element.querySelectorAll("button")) button.remove();
  }
}
