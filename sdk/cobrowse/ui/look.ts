/**
 * The look that all share which is shown on a visitor's page: colours, buttons, dialogs. A site restyles it by the variables
 * that begin with `--vestibule-`.
 */

export const look = `
:host {
  all: initial !important;
  position: fixed !important;
  color-scheme: light dark;
  --background: var(--vestibule-background, #ffffff);
  --color: var(--vestibule-color, #1c2422);
  --quiet: var(--vestibule-quiet, #55605b);
  --accent: var(--vestibule-accent, #17614f);
  --on-accent: var(--vestibule-on-accent, #ffffff);
  --border: var(--vestibule-border, #c9c5ba);
  --radius: var(--vestibule-radius, 12px);
  --shadow: 0 2px 6px rgb(20 24 22 / 14%), 0 18px 48px -16px rgb(20 24 22 / 44%);
  --font: var(--vestibule-font, 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif);
}
@media (prefers-color-scheme: dark) {
  :host {
    --background: var(--vestibule-background, #1a201f);
    --color: var(--vestibule-color, #e9ece8);
    --quiet: var(--vestibule-quiet, #b3bdb8);
    --accent: var(--vestibule-accent, #74c9b0);
    --on-accent: var(--vestibule-on-accent, #08211a);
    --border: var(--vestibule-border, #48534f);
  }
}
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
dialog, section { font: var(--font); color: var(--color); background: var(--background); border: 1px solid var(--border); text-align: start; }
dialog {
  position: fixed;
  inset: 0;
  margin: auto;
  width: min(448px, calc(100vw - 32px));
  max-height: calc(100vh - 32px);
  overflow: auto;
  padding: 24px;
  border-radius: var(--radius);
  box-shadow: var(--shadow);
}
dialog::backdrop { background: rgb(16 20 18 / 52%); }
h2 { line-height: 1.3; font-weight: 650; text-wrap: balance; }
dialog h2 { margin-bottom: 8px; font-size: 1.25em; }
p { color: var(--quiet); white-space: pre-line; }
div[part="buttons"] { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 12px; }
button {
  min-height: 44px;
  padding: 0 20px;
  border: 1px solid var(--border);
  border-radius: 8px;
  background: transparent;
  color: inherit;
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button:hover { border-color: currentColor; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@keyframes rise { from { transform: translateY(16px); opacity: 0; } }
@media (prefers-reduced-motion: reduce) { *, *::before { animation: none !important; transition: none !important; } }
@media print { :host { display: none !important; } }
`;
