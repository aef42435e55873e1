/** What the page's first-party storage keeps for the frame: names and values that are known, and nothing else. */

import type { IdentityStores } from "../../core/identity";
import type { Greeting, KeptName } from "./messages";

const VALUES: Readonly<Record<KeptName, RegExp>> = {
  anonymous: /^~[0-9a-f]{32}$/,
  cobrowsing: /^[0-9a-f]{32}$/,
  layout: /^(open|minimized|hidden)$/,
};

const GROUP = /^[0-9]{1,20}$/;

export class Kept {
  /** `group` is empty where the page leaves it to the server. */
  constructor(
    private readonly stores: IdentityStores,
    private group: string,
  ) {}

  /** Which group that is, as the frame says: the visitor of our other scripts is kept under its name. */
  belongTo(group: unknown): void {
    if (this.group === "" && typeof group === "string" && GROUP.test(group)) this.group = group;
  }

  all(): Greeting["kept"] {
    const known = (Object.keys(VALUES) as KeptName[]).map((name) => [name, this.read(name)] as const);
    return Object.fromEntries(known.filter(([, value]) => value !== undefined));
  }

  /** The frame's wish; one that breaks the rule is passed over. */
  keep(name: KeptName, value: unknown): void {
    if (!Object.prototype.hasOwnProperty.call(VALUES, name)) return;
    const [store, key] = this.place(name);
    if (value === undefined) store.remove(key);
    else if (typeof value === "string" && VALUES[name].test(value)) store.write(key, value);
  }

  private read(name: KeptName): string | undefined {
    const [store, key] = this.place(name);
    const value = store.read(key);
    return value !== undefined && VALUES[name].test(value) ? value : undefined;
  }

  /** The anonymous visitor is the one that our other scripts know on this site. */
  private place(name: KeptName): readonly [IdentityStores["tab"], string] {
    if (name === "anonymous") return [this.stores.lasting, `vestibule.anonymous.${this.group}`];
    return [this.stores.tab, `vestibule.connect.${this.group}.${name}`];
  }
}
