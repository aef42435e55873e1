/** Desktops of others: pages elsewhere that show one of ours in a frame as large as they are. */

import type { Frame, Page } from "playwright-core";
import { Watching } from "./cobrowse";
import type { Journal } from "./journal";
import { html } from "./site";
import type { Stage } from "./stage";

const LARGE = "<style>body { margin: 0 } iframe { border: 0; width: 100vw; height: 100vh; display: block }</style>";

export interface Looks {
  readonly head: string;
  readonly body: string;
  readonly size?: { readonly width: number; readonly height: number };
  readonly dark?: boolean;
}

let desktops = 0;

/** Opens a desktop in a browser of its own. What its page notes as `desktop` is in the journal. */
export async function opened(stage: Stage, kind: string, { head, body, size, dark }: Looks): Promise<[Page, Journal, readonly string[]]> {
  const name = `${kind}-${(desktops += 1)}`;
  const { context, diary } = await stage.person(name, "elsewhere");
  const page = await context.newPage();
  if (dark) await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize(size ?? { width: 1200, height: 900 });
  await page.goto(stage.site.page(`/${name}`, html({ head: `${LARGE}${head}`, body })));
  return [page, diary.journal("desktop"), diary.errors];
}

/** A page with a frame. */
export class Framing {
  constructor(
    readonly page: Page,
    /** What it noted. */
    readonly journal: Journal,
    readonly errors: readonly string[],
  ) {}

  /** The frame's document. */
  get frame(): Frame {
    return this.page.frames().find((frame) => frame.parentFrame() === this.page.mainFrame())!;
  }

  /** What the frame shows. */
  get view(): Watching {
    return new Watching(this.frame as unknown as Page, this.errors);
  }
}
