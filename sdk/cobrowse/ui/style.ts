/** Look of dialog, bar and overlay. A site restyles them by `::part(…)`, or by the variables of [look]. */

import { look } from "./look";

export const style = `${look}
:host {
  /* Above all of the page, and no larger than a point. */
  z-index: 2147483647 !important;
  inset: 0 auto auto 0 !important;
  --light: var(--vestibule-light, #c8281e);
}
@media (prefers-color-scheme: dark) { :host { --light: var(--vestibule-light, #ff7b6e); } }
p { margin-bottom: 20px; }
button[part~="accept"] { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
section {
  position: fixed;
  z-index: 2147483647;
  inset-inline: 0;
  bottom: max(16px, env(safe-area-inset-bottom));
  margin-inline: auto;
  width: fit-content;
  max-width: calc(100vw - 24px);
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 8px 12px;
  padding: 8px 8px 8px 16px;
  border-radius: 99px;
  font-size: 15px;
  box-shadow: 0 1px 3px rgb(20 24 22 / 20%), 0 10px 30px -10px rgb(20 24 22 / 44%);
  animation: rise 200ms ease-out;
}
section button { min-height: 36px; padding: 0 14px; border-radius: 99px; }
section button[part~="stop"] { border-color: var(--light); color: var(--light); }
span[part="words"] { overflow-wrap: anywhere; padding-inline-end: 4px; }
span[part="light"] { flex: none; width: 10px; height: 10px; border-radius: 50%; background: var(--quiet); }
section[data-state="on"] span[part="light"] { background: var(--light); animation: pulse 2s ease-in-out infinite; }
section[data-state="ended"] { padding: 12px 20px; }
div[part="overlay"] { position: fixed; inset: 0; z-index: 2147483646; overflow: hidden; pointer-events: none; }
svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
polyline { fill: none; stroke-width: 4px; stroke-linecap: round; stroke-linejoin: round; filter: drop-shadow(0 0 1px rgb(255 255 255 / 90%)); }
polyline[part~="fading"] { opacity: 0; transition: opacity 1s linear; }
div[part="cursor"], div[part="spotlight"] { position: absolute; top: 0; left: 0; will-change: transform; transition: transform 60ms linear; }
div[part="cursor"]::before {
  content: "";
  display: block;
  width: 18px;
  height: 22px;
  background: var(--agent);
  clip-path: polygon(0 0, 100% 62%, 52% 66%, 26% 100%);
  filter: drop-shadow(0 0 1px #fff);
}
span[part="name"] {
  position: absolute;
  top: 20px;
  left: 14px;
  padding: 2px 8px;
  border-radius: 99px;
  background: var(--agent);
  color: #fff;
  font: 600 12px/1.5 system-ui, sans-serif;
  white-space: nowrap;
}
div[part="spotlight"]::before {
  content: "";
  position: absolute;
  width: 88px;
  height: 88px;
  margin: -44px 0 0 -44px;
  border: 3px solid var(--agent);
  border-radius: 50%;
  box-shadow: 0 0 0 100vmax rgb(16 20 18 / 34%);
  animation: pulse 1.4s ease-in-out infinite;
}
@keyframes pulse { 50% { opacity: 0.45; } }
@media (forced-colors: active) { span[part="light"] { forced-color-adjust: none; } }
`;
