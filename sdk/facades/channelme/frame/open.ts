/** Opens the frame: reads what the server wrote, knocks, and begins when the page answers. */

import { mayHold, type Facts } from "./facts";
import { Frame } from "./frame";
import { knock } from "./knock";
import { Panel } from "./panel";
import { serverTopics } from "./server-topics";
import { Talk } from "./talk";
import { wordsOf } from "./words";
import type { ToPage } from "../messages";

export function openFrame(page: Window): void {
  const facts = JSON.parse(page.document.body.dataset["facts"] || '{"refused":"group"}') as Facts;
  if ("refused" in facts) {
    return knock(page, undefined, () => true, (port) => port.postMessage({ say: "failed", reason: facts.refused, isFinal: true } satisfies ToPage));
  }
  knock(
    page,
    facts.group,
    (origin) => mayHold(facts, page.location.origin, origin),
    (port, greeting) => {
      let panel: Panel | undefined;
      const draw = (): void => panel?.draw();
      const frame = new Frame(page, facts, port, greeting, serverTopics, draw);
      const words = wordsOf(greeting.spoken ?? {}, page.navigator.language);
      frame.send({ say: "title", title: words("contact") });
      panel = new Panel(page, frame, new Talk(frame, draw), words);
      panel.draw();
    },
  );
}
