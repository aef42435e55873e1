/** The wish for an agent: a button where a page has one, and on every page a line that says how it stands. */

import { h, replace } from "../shared/dom";
import type { HelpNews, VisitorCore } from "../shared/glance";

const LONGEST = 240;

export function offerHelp(core: VisitorCore): void {
  const line = h("section", { id: "help-line", class: "help-line", role: "status", "aria-label": "Help", hidden: true });
  document.body.append(line);
  const button = document.getElementById("ask-help");
  const put = (text: string, action: string, act: () => void): void => {
    const end = h("button", { type: "button", class: "button small" }, action);
    end.addEventListener("click", act);
    replace(line, h("p", {}, text), end);
    line.hidden = false;
  };
  const close = (): void => void (line.hidden = true);
  const say = ({ status, agent }: HelpNews): void => {
    line.dataset["help"] = status;
    if (button) button.hidden = status === "pending" || status === "accepted";
    if (status === "pending") put("Somebody will be with you soon.", "Never mind", () => void core.cancelHelp().catch(close));
    else if (status === "accepted") put(`${agent || "Somebody"} is coming.`, "Good", close);
    else if (status === "unavailable") put("Nobody is free just now. Try again in a while.", "Close", close);
    else close();
  };
  core.on("help", say);
  if (core.help) say(core.help);
  button?.addEventListener("click", () => {
    const about = `${document.title}`.slice(0, LONGEST);
    core.askHelp(about).catch(() => put("That did not work. Try again in a while.", "Close", close));
  });
}
