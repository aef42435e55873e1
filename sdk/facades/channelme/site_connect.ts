/** The script that a customer's page includes. */

import { install } from "./install";

install(window, document.currentScript as HTMLScriptElement | null);
