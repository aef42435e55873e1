/** The documented topics (`channelme.md` 4); the table in `docs/compatibility.md` has the same. */

export const topics = {
  ready: "~/site_connect/ready",
  retry: "~/site_connect/retry",
  error: "~/site_connect/error",
  newCode: "~/site_connect/new_code",
  enabled: "~/site_connect/chat_button/:button_id:/enabled",
  disabled: "~/site_connect/chat_button/:button_id:/disabled",
  start: "~pagesession/cobrowsing/start",
  stop: "~pagesession/cobrowsing/stop",
  show: "~pagesession/show_frame",
  minimize: "~pagesession/minimize_frame",
  hide: "~pagesession/hide_frame",
  chat: "~pagesession/chat/trigger",
  proactive: "~pagesession/proactive/trigger",
} as const;

/** The topic that says whether somebody answers a button. */
export const ofButton = (button: string, isEnabled: boolean): string => topics[isEnabled ? "enabled" : "disabled"].replace(":button_id:", () => button);
