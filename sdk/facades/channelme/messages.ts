/**
 * What the customer's page and our frame in it say to each other.
 *
 * The frame knocks at the window around it, with no more than its group's name; the page knows its own frame by window and origin and
 * answers with one end of a channel, to the frame's origin only. All else goes through that channel, which nobody else holds.
 */

import type { ClientFrame, Frame } from "../../core/frames";
import type { RequestOptions } from "../../core/requests";

export const CHANNEL = "vestibule.site_connect.1";

/** Frame to window around it: it has loaded. */
export interface Knock {
  readonly channel: typeof CHANNEL;
  /** The frame's group, which a page that named none does not know. */
  readonly group?: string;
}

/** Where the page is. */
export interface Place {
  readonly url: string;
  readonly title: string;
  readonly referrer: string;
}

/** How the page speaks to its visitors. */
export interface Spoken {
  readonly language?: string | undefined;
  /** Texts in place of the frame's own, by key. */
  readonly words?: Readonly<Record<string, unknown>> | undefined;
}

/** Page to frame, with the channel's port. */
export interface Greeting extends Knock {
  readonly place: Place;
  readonly spoken?: Spoken;
  /** What the page's first-party storage keeps for the frame, whose own may be blocked. */
  readonly kept: Readonly<Partial<Record<KeptName, string>>>;
}

/** What the page keeps: the anonymous visitor for good, the others for the tab. */
export const KEPT = ["anonymous", "cobrowsing", "layout"] as const;
export type KeptName = (typeof KEPT)[number];

export type Layout = "open" | "minimized" | "hidden";

export type ToFrame =
  | { readonly say: "subscribe" | "unsubscribe"; readonly filter: string }
  | { readonly say: "publish"; readonly topic: string; readonly data: unknown }
  /** Ask for a code once more. */
  | { readonly say: "again" }
  | { readonly say: "place"; readonly place: Place }
  /** The window got the focus. */
  | { readonly say: "focus" }
  | { readonly say: "stop" }
  /** The page's part in a session speaks. */
  | { readonly say: "request"; readonly number: number; readonly frame: ClientFrame; readonly options?: RequestOptions | undefined }
  | { readonly say: "send"; readonly frame: ClientFrame }
  | { readonly say: "problem"; readonly code: string; readonly message: string };

export type ToPage =
  /** The filter is in force, or why not; one that leads to the page's own topics too goes on there. */
  | { readonly say: "subscribed"; readonly filter: string; readonly problem?: string | undefined }
  | { readonly say: "message"; readonly filter: string; readonly topic: string; readonly data: unknown }
  /** What the page published was refused. */
  | { readonly say: "refused"; readonly topic: string; readonly problem: string }
  | { readonly say: "code"; readonly code: string }
  /** There is no code: why, and whether to ask again is in vain. */
  | { readonly say: "failed"; readonly reason: string; readonly isFinal: boolean }
  /** Buttons that somebody answers: all of them, or what changed. */
  | { readonly say: "buttons"; readonly enabled: readonly string[] }
  | { readonly say: "button"; readonly button: string; readonly enabled: boolean }
  | { readonly say: "layout"; readonly layout: Layout }
  /** What the frame is called, by those who hear the page. */
  | { readonly say: "title"; readonly title: string }
  | { readonly say: "keep"; readonly name: KeptName; readonly value: string | undefined }
  /** A session runs, and the page around the frame is to be shown. */
  | { readonly say: "join"; readonly session: string; readonly tab: string; readonly group: string }
  | { readonly say: "answer"; readonly number: number; readonly answer?: Frame; readonly problem?: { readonly code: string; readonly message: string } }
  | { readonly say: "welcomed" | "end" }
  | { readonly say: "away"; readonly paged: boolean }
  | { readonly say: "receive"; readonly frame: Frame };

/** Whether something that arrived at a window is of this channel. */
export function isOfChannel(data: unknown): data is Knock {
  return typeof data === "object" && data !== null && (data as Partial<Knock>).channel === CHANNEL;
}
