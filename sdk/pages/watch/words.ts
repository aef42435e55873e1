/** What the page says about how it stands: calm words, and what to do. */

import type { EndReason } from "../../cobrowse/frames";

export type Standing = "idle" | "connecting" | "reconnecting" | "asking" | "declined" | "absent" | "paused" | "live" | "ended" | "handed" | "badlink" | "nobody" | "superseded" | "taken";

export interface Notice {
  /** One word or two, always seen. */
  readonly short: string;
  readonly title: string;
  readonly text: string;
}

export const notices: Readonly<Record<Standing, Notice>> = {
  idle: { short: "No session", title: "No session is open", text: "Nothing is shown here yet." },
  connecting: { short: "Connecting", title: "Connecting", text: "One moment." },
  reconnecting: { short: "Reconnecting", title: "The connection was lost", text: "It is being made again by itself. The visitor is not asked a second time." },
  asking: { short: "Asking", title: "The visitor is being asked", text: "The page appears here as soon as the visitor agrees to show it." },
  declined: { short: "Declined", title: "The visitor does not want to show the page", text: "Talk it over, and start again from your desk when the visitor is ready." },
  absent: { short: "Waiting", title: "Waiting for the visitor", text: "No page of the visitor is open at the moment. It appears here when there is one." },
  paused: { short: "Paused", title: "The visitor has paused", text: "Nothing is shown until the visitor goes on." },
  live: { short: "Live", title: "", text: "" },
  ended: { short: "Ended", title: "The session has ended", text: "You can close this page." },
  handed: { short: "Handed over", title: "You handed this session over", text: "The other agent sees the visitor’s page now. You can close this page." },
  badlink: { short: "No access", title: "This link is no longer good", text: "A link is good for a few minutes, and then only in the tab in which it was opened. Get a new one from your desk." },
  nobody: { short: "Not there", title: "The visitor is not on the site", text: "The page has been left. The link stays good for a few minutes: reload this page when the visitor is back." },
  taken: { short: "Taken", title: "Another agent has this session", text: "It has no room for a further one." },
  superseded: { short: "Elsewhere", title: "This session is open in another tab", text: "Go on there, or reload this page to see it here." },
};

const reasons: Readonly<Record<EndReason, string>> = {
  visitor: "The visitor ended it.",
  declined: "The visitor did not agree to show the page.",
  agent: "An agent ended it.",
  controller: "It was ended from the desk.",
  usertimeout: "The visitor did nothing for a long time.",
  networktimeout: "The connection to the visitor did not come back.",
  neverjoined: "Nobody joined in time.",
  toolong: "It reached the longest time that a session may last.",
};

/** Why a session ended, and the words that somebody gave on the way; `stands` tells whether the page has a window of its own. */
export function ended(reason: EndReason | undefined, text: string | undefined, stands = true): Notice {
  // A frame is not the agent's to close.
  const next = stands && notices.ended.text;
  const why = [reason && reasons[reason], text && `“${text}”`, next].filter(Boolean).join(" ");
  return { ...notices.ended, text: why };
}
