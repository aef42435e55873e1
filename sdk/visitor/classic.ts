/** The visitor's side as a classic script: adds to the global `Vestibule`. */

import { VestibuleError } from "../core/errors";
import { Visitor } from "./visitor";

const page = window as unknown as { Vestibule?: object };
page.Vestibule = Object.assign(page.Vestibule ?? {}, { Visitor, VestibuleError });
