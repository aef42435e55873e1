/** What is drawn, and what draws it: the part of the interface that is loaded when something is to be seen. */

export interface View {
  /** Culture name. */
  readonly language: string;
  /** The button that begins a session. */
  readonly button: boolean;
  /** The panel with the code: `""` while it is on its way. */
  readonly code: string | undefined;
  /** Why the session ended. */
  readonly ended: string | undefined;
}

export interface Question {
  readonly about: "terms" | "leaving";
  readonly language: string;
  /** The terms; the host that a link leads to. */
  readonly text: string;
}

export interface Handlers {
  start(): void;
  stop(): void;
  /** The visitor has read why the session ended. */
  dismiss(): void;
}

export interface Ui {
  show(view: View): void;
  ask(question: Question): Promise<boolean>;
}

export interface UiModule {
  openUi(page: Window, handlers: Handlers): Ui;
}
