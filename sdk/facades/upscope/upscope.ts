/** The script that a visitor's page includes. `currentScript` is known only while it runs. */

import { install } from "./install";

install(window, document.currentScript as HTMLScriptElement | null);
