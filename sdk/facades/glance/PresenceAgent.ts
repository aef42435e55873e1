/** The script that an agent's page includes. `currentScript` is known only while it runs. */

import { installAgent } from "./install";

installAgent(window, document.currentScript as HTMLScriptElement | null);
