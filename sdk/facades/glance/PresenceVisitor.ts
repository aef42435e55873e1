/** The script that a visitor's page includes. `currentScript` is known only while it runs. */

import { installVisitor } from "./install";

installVisitor(window, document.currentScript as HTMLScriptElement | null);
