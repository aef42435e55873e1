/** Look of button, panel and dialogs. */

import { look } from "../../cobrowse/ui/look";

export const style = `${look}
:host {
  z-index: 2147483646 !important;
  inset: auto 16px max(88px, calc(72px + env(safe-area-inset-bottom))) auto !important;
  font: var(--font) !important;
}
:host([data-rest]) { inset-block-end: max(16px, env(safe-area-inset-bottom)) !important; }
@media (max-width: 480px) { :host(:not([data-rest])) { inset-block-end: max(120px, calc(104px + env(safe-area-inset-bottom))) !important; } }
button[part~="yes"], button[part~="start"] { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
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
section { width: min(336px, calc(100vw - 32px)); padding: 20px; border-radius: var(--radius); box-shadow: var(--shadow); animation: rise 200ms ease-out; }
section:focus { outline: none; }
section h2 { font-size: 1em; }
p { overflow-wrap: anywhere; }
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
div[part="buttons"] { margin-top: 16px; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
