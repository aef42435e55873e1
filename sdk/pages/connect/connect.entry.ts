/** The page of the frame. */

import { openFrame } from "../../facades/channelme/frame/open";

openFrame(window);
