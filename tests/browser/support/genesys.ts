/** A desktop that was made for Genesys Co-browse: the controller kit, and `slave.html` in a frame. */

import type { Page } from "playwright-core";
import { Showing } from "./cobrowse";
import { Framing, opened } from "./framing";
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

export class GenesysDesktop extends Framing {
  /** Opens a desktop on the site; `token` is the agent's, where he has one. The journal has what the kit told. */
  static async open(stage: Stage, { token = "", frame = "", server = stage.server.origin } = {}): Promise<GenesysDesktop> {
    const options = JSON.stringify({ root: `${server}/cobrowse`, name: "Desktop", ...(token && { token }) });
    const script = `import { Interaction } from "${stage.server.origin}/sdk/genesys.js";
      window.interaction = new Interaction(${options});
      for (const name of ["attach", "over", "lost"]) interaction.events.on(name, (data) => note("desktop", name, data));
      window.show = (address) => address && (document.querySelector("iframe").src = address);`;
    const head = `<script type="module">${script}</script>`;
    const looks = { head, body: frame || "<iframe></iframe>", size: { width: 1280, height: 900 } };
    const desktop = new GenesysDesktop(...(await opened(stage, "genesys-desktop", looks)));
    await desktop.page.waitForFunction(() => "interaction" in window);
    return desktop;
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
}
