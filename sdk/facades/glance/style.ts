/** Look of the terms dialog. A site restyles it by `::part(…)` or by these variables on its root. */

export const dialogStyle = `
:host {
  all: initial;
  color-scheme: light dark;
  --background: var(--glance-terms-background, #fff);
  --color: var(--glance-terms-color, #1d2430);
  --accent: var(--glance-terms-accent, #1f5fbf);
  --accent-color: var(--glance-terms-accent-color, #fff);
  --border: var(--glance-terms-border, #c3c9d4);
}
@media (prefers-color-scheme: dark) {
  :host {
    --background: var(--glance-terms-background, #1b2029);
    --color: var(--glance-terms-color, #eceff4);
    --accent: var(--glance-terms-accent, #8ab4f8);
    --accent-color: var(--glance-terms-accent-color, #10151d);
    --border: var(--glance-terms-border, #4a5263);
  }
}
dialog {
  box-sizing: border-box;
  width: min(28rem, calc(100vw - 2rem));
  padding: 1.5rem;
  border: 1px solid var(--border);
  border-radius: var(--glance-terms-radius, 0.75rem);
  background: var(--background);
  color: var(--color);
  font: var(--glance-terms-font, 1rem/1.5 system-ui, sans-serif);
}
dialog::backdrop { background: rgb(0 0 0 / 0.45); }
h2 { margin: 0 0 0.5rem; font-size: 1.25em; line-height: 1.3; }
p { margin: 0 0 1rem; white-space: pre-line; }
a { display: inline-block; margin: 0 0 1rem; color: var(--accent); overflow-wrap: anywhere; }
div { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0.75rem; }
button {
  min-height: 2.75rem;
  padding: 0 1.25rem;
  border: 1px solid var(--border);
  border-radius: 0.5rem;
  background: transparent;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
button[part~="accept"] { border-color: var(--accent); background: var(--accent); color: var(--accent-color); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`;
