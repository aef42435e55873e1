import type { Identity } from "../core/identity";
import type { VisitorOptions } from "./options";

/** Who a visitor is, as a hello or `identify` tells it. */
export interface NameTold {
  readonly visitorid: string;
  /** The site's word on it. */
  readonly signature?: string;
  /** The anonymous id that he leaves for it. */
  readonly from?: string;
}

/** The id that a visitor goes by: the site's choice, or an anonymous one; and what the server knows of it. */
export class VisitorName {
  private chosen: string | undefined;
  /** The site's signature of the chosen id. */
  private signature: string | undefined;
  /** Kept as long as the object: another tab may have forgotten it meanwhile. */
  private anonymous: string | undefined;
  private toldId: string | undefined;
  /** The anonymous id that the last hello, or identify, left behind. */
  private left: string | undefined;
  private coming: string | undefined;

  constructor(
    private readonly identity: Identity,
    private readonly group: string,
    private readonly options: Pick<VisitorOptions, "visitorid" | "signature" | "storeAnonymousId">,
  ) {
    this.chosen = options.visitorid;
    if (typeof options.signature === "string") this.signature = options.signature;
  }

  /** An anonymous id begins with `~`. */
  get id(): string {
    if (this.chosen !== undefined) return this.chosen;
    return (this.anonymous ??= this.identity.anonymous(this.group, this.options.storeAnonymousId ?? true));
  }

  /** Asks the site to sign the chosen id anew, where it does that. */
  async sign(): Promise<void> {
    if (this.chosen !== undefined) this.signature = await this.signed(this.chosen);
  }

  /** Another id from now on; the function given back takes the choice back, unless a later one came. */
  async choose(visitorid: string, signature?: string): Promise<() => void> {
    const signed = signature ?? (await this.signed(visitorid));
    const former = [this.chosen, this.signature] as const;
    [this.chosen, this.signature] = [visitorid, signed];
    return () => {
      if (this.chosen === visitorid) [this.chosen, this.signature] = former;
    };
  }

  /** What a hello tells. */
  hello(): NameTold {
    this.toldId = this.id;
    this.left = this.anonymousBefore();
    return { visitorid: this.toldId, ...this.signedBy(), ...(this.left && { from: this.left }) };
  }

  /** What an `identify` tells, if the server knows the visitor by another id. */
  change(): NameTold | undefined {
    if (this.toldId === this.id) return undefined;
    this.left = this.toldId;
    this.coming = this.id;
    return { visitorid: this.coming, ...this.signedBy() };
  }

  /** The change is known to the server. */
  told(): void {
    this.toldId = this.coming;
    this.taken();
  }

  /** The server took the name: the anonymous id before it is needed no more. */
  taken(): void {
    if (this.left) this.identity.forgetAnonymous(this.group, this.left);
    this.left = undefined;
  }

  private async signed(visitorid: string): Promise<string | undefined> {
    const { signature } = this.options;
    return typeof signature === "function" ? signature(visitorid) : undefined;
  }

  private signedBy(): { signature?: string } {
    return this.signature ? { signature: this.signature } : {};
  }

  /** The anonymous id under which this browser was here before the visitor became known. */
  private anonymousBefore(): string | undefined {
    const known = this.chosen !== undefined && !this.chosen.startsWith("~");
    return known ? this.identity.formerAnonymous(this.group) : undefined;
  }
}
