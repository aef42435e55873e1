/** What is loaded apart from the small scripts, and takes part in a connection all the same. */

import type { Frame } from "./frames";

export interface Part {
  /** The server took the hello: the first time, and after each drop. A part that comes later is told so without the frame. */
  welcomed(frame?: Frame): void;
  /** Whether the frame, which is no answer, was for this part. */
  receive(frame: Frame): boolean;
}
