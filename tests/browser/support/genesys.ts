/** A desktop that was made for Genesys Co-browse: the controller kit, and `slave.html` in a frame. */

import type { Frame, Page } from "playwright-core";
import { Showing, Watching } from "./cobrowse";
import type { Journal } from "./journal";
import { html } from "./site";
import type { Stage } from "./stage";

const PAGE = { body: `<h1 id="one">One</h1><p>Kettles are on the second shelf.</p>` };

export interface Customer {
  readonly showing: Showing;
  readonly tab: Page;
  /** The nine digits that he reads out. */
  readonly token: string;
}

/** A visitor who shows his page, by his own wish. */
export async function customer(stage: Stage): Promise<Customer> {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", PAGE);
  return { showing, tab, token: await begins(tab) };
}

/** He begins a session; gives its token. */
export function begins(tab: Page): Promise<string> {
  return tab.evaluate(async () => {
    const { visitor } = window as any;
    const entered = new Promise<{ code: string }>((resolve) => visitor.on("sessionentered", resolve));
    await visitor.startSession({ agreed: true, withcode: true, digits: 9 });
    return (await entered).code;
  });
}

let desktops = 0;

export class GenesysDesktop {
  private constructor(
    readonly page: Page,
    /** What the kit told. */
    readonly journal: Journal,
    readonly errors: readonly string[],
  ) {}

  /** Opens a desktop on the site; `token` is the agent's, where he has one. */
  static async open(stage: Stage, { token = "", frame = "", server = stage.server.origin } = {}): Promise<GenesysDesktop> {
    const name = `genesys-desktop-${(desktops += 1)}`;
    const { context, diary } = await stage.person(name, "elsewhere");
    const page = await context.newPage();
    await page.setViewportSize({ width: 1280, height: 900 });
    const options = JSON.stringify({ root: `${server}/cobrowse`, name: "Desktop", ...(token && { token }) });
    const script = `import { Interaction } from "${stage.server.origin}/sdk/genesys.js";
      window.interaction = new Interaction(${options});
      for (const name of ["attach", "over", "lost"]) interaction.events.on(name, (data) => note("desktop", name, data));
      window.show = (address) => address && (document.querySelector("iframe").src = address);`;
    const style = "<style>body { margin: 0 } iframe { border: 0; width: 100vw; height: 100vh; display: block }</style>";
    await page.goto(stage.site.page(`/${name}`, html({ head: `${style}<script type="module">${script}</script>`, body: frame || "<iframe></iframe>" })));
    await page.waitForFunction(() => "interaction" in window);
    return new GenesysDesktop(page, diary.journal("desktop"), diary.errors);
  }

  /** Joins the session; gives the address that the frame shows, or the word for what is wrong. */
  join(token: string): Promise<string> {
    return this.page.evaluate(async (token) => {
      const { interaction, show } = window as any;
      return interaction.join(token).then(show, ({ code }: { code: string }) => code);
    }, token);
  }

  hear(message: string): Promise<string | undefined> {
    return this.page.evaluate((message) => (window as any).interaction.hear(message).then((window as any).show), message);
  }

  close(why: string): Promise<any> {
    return this.page.evaluate((why) => (window as any).interaction.close(why), why);
  }

  /** The frame's document. */
  get frame(): Frame {
    return this.page.frames().find((frame) => frame.parentFrame() === this.page.mainFrame())!;
  }

  /** What the frame shows. */
  get view(): Watching {
    return new Watching(this.frame as unknown as Page, this.errors);
  }
}
