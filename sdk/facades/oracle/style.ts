/** Look of button, panel and dialogs: the variables are those of the session's own bar. */

export const style = `
:host {
  all: initial !important;
  position: fixed !important;
  z-index: 2147483646 !important;
  inset: auto 16px max(88px, calc(72px + env(safe-area-inset-bottom))) auto !important;
  color-scheme: light dark;
  --background: var(--vestibule-background, #ffffff);
  --color: var(--vestibule-color, #1c2422);
  --quiet: var(--vestibule-quiet, #55605b);
  --accent: var(--vestibule-accent, #17614f);
  --on-accent: var(--vestibule-on-accent, #ffffff);
  --border: var(--vestibule-border, #c9c5ba);
  --radius: var(--vestibule-radius, 12px);
  --shadow: 0 2px 6px rgb(20 24 22 / 14%), 0 18px 48px -16px rgb(20 24 22 / 44%);
  font: var(--vestibule-font, 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif) !important;
}
:host([data-rest]) { inset-block-end: max(16px, env(safe-area-inset-bottom)) !important; }
@media (max-width: 480px) { :host(:not([data-rest])) { inset-block-end: max(120px, calc(104px + env(safe-area-inset-bottom))) !important; } }
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
button[part~="yes"], button[part~="start"] { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
button[part~="start"] {
  display: flex;
  align-items: center;
  gap: 10px;
  min-height: 48px;
  padding: 0 20px 0 16px;
  border-radius: 99px;
  box-shadow: var(--shadow);
}
svg { flex: none; width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
section, dialog {
  width: min(336px, calc(100vw - 32px));
  padding: 20px;
  border: 1px solid var(--border);
  border-radius: var(--radius);
  background: var(--background);
  color: var(--color);
  text-align: start;
  box-shadow: var(--shadow);
}
section { animation: rise 200ms ease-out; }
section:focus { outline: none; }
dialog { position: fixed; inset: 0; margin: auto; width: min(448px, calc(100vw - 32px)); max-height: calc(100vh - 32px); padding: 24px; overflow: auto; }
dialog::backdrop { background: rgb(16 20 18 / 52%); }
h2 { font-size: 1em; line-height: 1.3; font-weight: 650; text-wrap: balance; }
dialog h2 { margin-bottom: 8px; font-size: 1.25em; }
p { color: var(--quiet); white-space: pre-line; overflow-wrap: anywhere; }
p[part~="code"] {
  margin: 6px 0 8px;
  color: var(--color);
  font-size: 2.25em;
  line-height: 1.2;
  font-weight: 650;
  font-variant-numeric: tabular-nums;
  letter-spacing: 0.06em;
  white-space: nowrap;
}
p[part~="code"][data-waits] { color: var(--quiet); }
section p[part~="text"] { font-size: 0.9375em; }
div[part="buttons"] { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 12px; margin-top: 16px; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@keyframes rise { from { transform: translateY(16px); opacity: 0; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }
@media print { :host { display: none !important; } }
`;
