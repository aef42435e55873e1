/** `script=Terms`: loaded by the visitor's script when a page shows the terms. */

export { openDialog } from "./dialog";
