/** Has drawn what is to be seen, and loads what draws it when there is something for the first time. */

import type { Handlers, Question, Ui, UiModule, View } from "./ui";

export class Screen {
  private opening: Promise<Ui> | undefined;
  private drawn = "";

  constructor(
    private readonly page: Window,
    private readonly load: () => Promise<UiModule>,
    private readonly view: () => View,
    private readonly handlers: Handlers,
  ) {}

  /** Brings what is seen in line with the view. */
  draw(): void {
    const { document } = this.page;
    if (document.readyState === "loading") return document.addEventListener("DOMContentLoaded", () => this.draw(), { once: true });
    const view = this.view();
    const print = JSON.stringify(view);
    const isEmpty = !view.button && view.code === undefined && view.ended === undefined;
    if (print === this.drawn || (isEmpty && !this.opening)) return;
    this.drawn = print;
    // It may have changed until then.
    this.open().then((ui) => ui.show(this.view()), () => (this.drawn = ""));
  }

  async ask(question: Question): Promise<boolean> {
    return (await this.open()).ask(question);
  }

  private open(): Promise<Ui> {
    return (this.opening ??= this.load().then(
      ({ openUi }) => openUi(this.page, this.handlers),
      (error: unknown) => {
        this.opening = undefined;
        throw error;
      },
    ));
  }
}
