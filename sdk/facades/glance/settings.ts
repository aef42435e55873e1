/**
 * What a page says by its tag and its globals: the script's own address, the tag with the id
 * `glance-cobrowse` (or `cobrowsescript`), and `GLANCE_COBROWSE`. Read anew at each call, since a
 * tag may follow the script.
 */

import { serverOrigin } from "../../core/address";

interface CustomerGlobals {
  readonly visitorid?: string | number;
  readonly visitorsignature?: string;
  readonly groupid?: string | number;
}

export class Settings {
  private readonly source: URL;

  constructor(
    private readonly page: Window,
    private readonly script: HTMLScriptElement | null,
  ) {
    const src = script?.src || (this.tag as HTMLScriptElement | null)?.src || "";
    this.source = new URL(src || page.location.href, page.location.href);
  }

  /** The element that holds the `data-` attributes, if the page has one. */
  get tag(): Element | null {
    const { document } = this.page;
    return document.getElementById("glance-cobrowse") ?? document.getElementById("cobrowsescript");
  }

  /** Attribute `data-{name}` of the tag, else of the script. */
  attribute(name: string): string | undefined {
    const full = `data-${name}`;
    return this.tag?.getAttribute(full) ?? this.script?.getAttribute(full) ?? undefined;
  }

  get groupid(): string | undefined {
    const query = this.source.searchParams;
    const group = this.globals.groupid ?? this.attribute("groupid") ?? query.get("groupid") ?? query.get("group");
    return group ? String(group) : undefined;
  }

  get visitorid(): string | undefined {
    const visitorid = this.globals.visitorid || this.attribute("visitorid");
    return visitorid ? String(visitorid) : undefined;
  }

  get visitorsignature(): string | undefined {
    return this.globals.visitorsignature || this.attribute("visitorsignature");
  }

  /**
   * `on`: presence starts by itself. `api`, `off`, or no attribute: nothing happens until the page
   * calls. The attribute alone decides; neither `script=` in the script's address nor its absence does.
   */
  get automatic(): boolean {
    return this.attribute("presence") === "on";
  }

  /** Origin of the presence server: as given, else by the tag, else where the script came from. */
  presenceOrigin(given?: string): string {
    return this.origin(given || this.attribute("presenceserver"));
  }

  /** Origin of the server that gives tokens, found alike. */
  webOrigin(given?: string): string {
    return this.origin(given || this.attribute("ws"));
  }

  private origin(given: string | undefined): string {
    // A file or a data address has no host; then the page's own server is meant.
    const base = /^http/.test(this.source.protocol) ? this.source : new URL(this.page.location.href);
    return given ? serverOrigin(given, base.protocol) : base.origin;
  }

  private get globals(): CustomerGlobals {
    return (this.page as { GLANCE_COBROWSE?: CustomerGlobals }).GLANCE_COBROWSE ?? {};
  }
}
