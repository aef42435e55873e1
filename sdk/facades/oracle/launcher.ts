/** The script that a customer's page includes. The server writes the site's settings in place of the text. */

import { install } from "./install";
import type { Site } from "./site";
import type { UiModule } from "./ui";

install(
  window,
  document.currentScript as HTMLScriptElement | null,
  "{{site}}" as unknown as Site,
  (origin) => import(/* @vite-ignore */ `${origin}/cobrowse/panel.js`) as Promise<UiModule>,
);
