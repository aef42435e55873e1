/** The chat message that asks the agent's desktop to join a session (`genesys.md` 9). */

const START = /^\{start:(\d{9})\}$/;

/** The session's token; undefined where the message is another one. */
export function startOf(message: string): string | undefined {
  return START.exec(message)?.[1];
}
