/** The watch page: shows the visitor's page to an agent, who holds a ticket for this session and nothing else. */

import { pageIdentity } from "../../core/identity";
import { isSlavePage } from "../../facades/genesys/slave-address";
import { openSlavePage } from "../../facades/genesys/slave-page";
import { embeddedIn } from "../../facades/upscope/embedded";
import { KeptLink } from "./kept-link";
import { forgetTicket, keepTicket, takeTicket } from "./link";
import { LinkPage } from "./link-page";
import { Seat } from "./seat";
import { Viewer } from "./viewer";

/** By a link in the path, which a desktop's frame keeps for itself. */
function openLink(link: KeptLink): void {
  const seat = new Seat(link.tab, location.origin);
  let linkPage: LinkPage | undefined;
  const viewer = new Viewer(seat, { keep: (ticket) => link.keep({ ticket }), follow: (seen) => linkPage?.follow(seen) });
  const steered = { seat, choose: viewer.choose.bind(viewer), dye: viewer.dye.bind(viewer), colour: () => viewer.colour };
  linkPage = new LinkPage(link, steered, embeddedIn);
  seat.start(link.ticket);
}

/** By a ticket behind `#`, or the one that this tab has. */
function openTicket(): void {
  const ticket = takeTicket(window);
  const seat = new Seat(pageIdentity().tab, location.origin);
  const follow = (): void => {
    if (["ended", "badlink", "handed"].includes(seat.standing)) forgetTicket(window);
  };
  new Viewer(seat, { keep: (fresh) => keepTicket(window, fresh), follow });
  seat.start(ticket);
  // A further link, opened in this tab.
  window.addEventListener("hashchange", () => {
    if (location.hash.length > 1) location.reload();
  });
}

if (isSlavePage(location)) openSlavePage();
else {
  const link = KeptLink.of(window, pageIdentity().tab);
  if (link) openLink(link);
  else openTicket();
}
