/** Who this page is: its tab, itself, and its anonymous visitor. */

import { randomHex } from "./environment";
import { currentPage } from "./lifecycle";
import { webStore, type Store } from "./storage";

export interface IdentityStores {
  /** First-party storage that outlives the tab. */
  readonly lasting: Store;
  /** Storage of this tab. */
  readonly tab: Store;
}

/** The two web storages of a page; memory where they are blocked. */
export function pageStores(page: Window | undefined): IdentityStores {
  return { lasting: webStore(() => page?.localStorage), tab: webStore(() => page?.sessionStorage) };
}

export class Identity {
  private tabId: string | undefined;
  private pageId: string | undefined;
  /** What this document marks its tab with. */
  private readonly mark = randomHex(8);
  private isKept = false;
  private readonly prefix: string;
  private readonly slotsByConnection = new Map<string, Set<number>>();

  constructor(
    private readonly page: Window | undefined,
    readonly stores: IdentityStores,
  ) {
    // A frame shares its tab's storage with the page around it, which would look like a duplicate.
    this.prefix = page && page.top !== page ? "vestibule.frame." : "vestibule.";
    page?.addEventListener("pagehide", ({ persisted }) => this.leave(persisted));
  }

  /** Id of the tab; the same across page changes and reloads. */
  get tab(): string {
    this.claim();
    return this.tabId as string;
  }

  /** Marks the tab as in use, from now on: a copy that the page opens afterwards can be told. */
  claim(): void {
    this.tabId ??= this.claimTab();
  }

  /**
   * Another page connected under our tab id: a copy that could not be told. This one takes a new id, and so do the
   * tab's next pages, unless the other page is this tab's: then ours is about to be hidden.
   */
  renewTab(): void {
    this.tabId = randomHex(8);
    if (this.isMarked) this.stores.tab.write(this.key("tab"), this.tabId);
  }

  /**
   * The server keeps one socket for a tab and a visitor. Further sockets of one page for the same
   * `connection` (a second SDK object, or another bundle) go under the tab id and a number.
   * Gives the lowest free number; `leaveSlot` gives it back.
   */
  takeSlot(connection: string): number {
    const taken = this.slotsByConnection.get(connection) ?? new Set();
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    this.slotsByConnection.set(connection, taken.add(slot));
    return slot;
  }

  leaveSlot(connection: string, slot: number): void {
    this.slotsByConnection.get(connection)?.delete(slot);
  }

  /** Id of this page; a new one when the page comes back from the back-forward cache. */
  get current(): string {
    return (this.pageId ??= randomHex(8));
  }

  /** Where this tab keeps what `name` stands for. */
  key(name: string): string {
    return this.prefix + name;
  }

  /**
   * The anonymous visitor id of a group: kept first-party, or for this tab only when `stored` is false.
   */
  anonymous(group: string, stored: boolean): string {
    const store = stored ? this.stores.lasting : this.stores.tab;
    const known = readAnonymous(store, group);
    if (known) return known;
    const made = `~${randomHex(16)}`;
    store.write(anonymousKey(group), made);
    return made;
  }

  /** The anonymous id that this browser went by in the group, if any; makes none. */
  formerAnonymous(group: string): string | undefined {
    return readAnonymous(this.stores.tab, group) ?? readAnonymous(this.stores.lasting, group);
  }

  /** The anonymous visitor is known now; whoever is anonymous here next is somebody else. */
  forgetAnonymous(group: string, anonymous: string): void {
    for (const store of [this.stores.tab, this.stores.lasting]) {
      if (readAnonymous(store, group) === anonymous) store.remove(anonymousKey(group));
    }
  }

  /**
   * A browser copies the tab's storage when a tab is duplicated or opened by a script. The page
   * marks its tab id as in use and clears its mark in `pagehide`, so whoever loads with a mark
   * still set is such a copy (or follows a crash) and makes a new id. This needs no answer from
   * other tabs, and unlike a Web Lock or an open channel it keeps no page out of the
   * back-forward cache. A discarded tab had no `pagehide`, but says that it was discarded. A page
   * from the back-forward cache is no copy, and may be shown before the page that it takes the
   * place of is hidden: it looks at no mark, and its own is left alone by that page.
   */
  private claimTab(): string {
    const store = this.stores.tab;
    const discarded = (this.page?.document as { wasDiscarded?: boolean } | undefined)?.wasDiscarded;
    const copied = store.read(this.key("inuse")) !== undefined && !discarded && !this.isKept;
    const known = copied ? undefined : store.read(this.key("tab"));
    const tab = known && /^[0-9a-f]{16}$/.test(known) ? known : randomHex(8);
    this.isKept = false;
    store.write(this.key("tab"), tab);
    store.write(this.key("inuse"), this.mark);
    return tab;
  }

  /** Whether no other document of the tab has marked it since. */
  private get isMarked(): boolean {
    return this.stores.tab.read(this.key("inuse")) === this.mark;
  }

  private leave(persisted: boolean): void {
    if (this.isMarked) this.stores.tab.remove(this.key("inuse"));
    this.isKept = persisted;
    this.tabId = undefined;
    this.pageId = undefined;
  }
}

const anonymousKey = (group: string): string => `vestibule.anonymous.${group}`;

function readAnonymous(store: Store, group: string): string | undefined {
  const known = store.read(anonymousKey(group));
  return known && /^~[0-9a-f]{32}$/.test(known) ? known : undefined;
}

const SHARED = Symbol.for("vestibule.identity.1");

/** The page's one identity, shared by every bundle of this SDK that the page loads. */
export function pageIdentity(): Identity {
  const page = currentPage() as (Window & { [SHARED]?: Identity }) | undefined;
  if (!page) return new Identity(undefined, pageStores(undefined));
  return (page[SHARED] ??= new Identity(page, pageStores(page)));
}
