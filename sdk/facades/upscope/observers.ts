/** Agents who view, as the page is told of them. */

import type { Member } from "../../cobrowse/frames";

export interface ObserverData {
  readonly id: string;
  readonly name: string | null;
}

export interface ObserverNews {
  readonly event: "newObserver" | "observerUpdate" | "observerGone" | "observersCount";
  readonly call: readonly unknown[];
}

export class Observers {
  private known: ReadonlyMap<string, ObserverData> = new Map();

  /** What changed since the last time. Who is waited for after a lost connection still counts. */
  follow(members: readonly Member[]): ObserverNews[] {
    const agents = members.filter(({ role }) => role === "agent");
    const now = new Map(agents.map(({ user, name }) => [String(user), { id: String(user), name: name || null }]));
    const before = this.known;
    this.known = now;
    const news: ObserverNews[] = [];
    for (const [id, data] of now) {
      const known = before.get(id);
      if (!known) news.push({ event: "newObserver", call: [id, data] });
      else if (known.name !== data.name) news.push({ event: "observerUpdate", call: [id, { name: data.name }] });
    }
    for (const id of before.keys()) if (!now.has(id)) news.push({ event: "observerGone", call: [id] });
    if (now.size !== before.size) news.push({ event: "observersCount", call: [now.size] });
    return news;
  }
}
