/** What an agent is shown looks as the visitor's page does: both are photographed and compared. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { press, Showing, type ShownParts, type Watching } from "./support/cobrowse";
import { eventually } from "./support/journal";
import { comparePixels, type Difference } from "./support/pixels";
import { useStage } from "./support/stage";

const stage = useStage();
const VIEWPORT = { width: 1000, height: 700 };
/** Most of the pixels that may differ. */
const MOST = 0.01;
const measured: string[] = [];

interface Scene extends ShownParts {
  /** Done on the visitor's page after the agent sees it. */
  readonly act?: (page: Page) => Promise<unknown>;
  readonly scheme?: "light" | "dark";
}

const STAR = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" width="60" height="60"><path fill="darkorange" d="M10 1l3 6 6 1-4.500 4.500 1 6.500-5.500-3-5.500 3 1-6.500L1 8l6-1z"/></svg>`;

const rows = (count: number): string =>
  Array.from({ length: count }, (_, row) => `<tr><td>${row}</td><td>Row ${row}</td><td>${row * 7} pieces</td><td><b>${row % 3 ? "sent" : "waiting"}</b></td></tr>`).join("");

const base = `<style>body { font: 16px/1.5 sans-serif; margin: 24px; background: #fafaf7; } table { border-collapse: collapse; width: 100%; } td { border: 1px solid #ccc; padding: 4px 8px; }</style>`;

const scenes: Record<string, Scene> = {
  form: {
    body: `<form><p><label>Name <input id="name"></label></p><p><label><input id="news" type="checkbox"> News</label>
      <label><input type="radio" name="a" checked> one</label><label><input id="two" type="radio" name="a"> two</label></p>
      <p><select id="where"><option>Harbour</option><option>Pine</option></select> <textarea id="notes" rows="4">Some notes</textarea></p><button>Order</button></form>`,
    act: async (page) => {
      await page.fill("#name", "Ada Lovelace");
      await page.check("#news");
      await page.check("#two");
      await page.selectOption("#where", "Pine");
      await page.fill("#notes", "Two lines\nof notes");
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    },
  },
  "controlled inputs": {
    body: `<input id="upper"><input id="mirror"><output id="out"></output>`,
    // As a library does that holds the value itself and writes it back.
    script: `upper.addEventListener("input", () => { const text = upper.value.toUpperCase(); upper.value = text; mirror.value = text.split("").reverse().join(""); out.textContent = text.length + " letters"; });`,
    act: async (page) => {
      await page.locator("#upper").pressSequentially("lantern");
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    },
  },
  "long table": { body: `<table>${rows(400)}</table>`, act: (page) => page.evaluate(() => scrollTo(0, 5000)) },
  "shadow DOM": {
    body: `<x-card><span>In the light</span></x-card><x-card><span>Another</span></x-card>`,
    script: `customElements.define("x-card", class extends HTMLElement { connectedCallback() {
      this.attachShadow({ mode: "open" }).innerHTML = "<style>:host { display: block; margin: 16px; padding: 16px; border: 2px solid teal; border-radius: 12px; } ::slotted(span) { color: crimson; }</style><h2>In the shadow</h2><slot></slot>"; } });`,
  },
  "adopted style sheets": {
    body: `<div class="box">Adopted</div><x-pill></x-pill>`,
    script: `const sheet = new CSSStyleSheet(); sheet.replaceSync(".box { padding: 40px; background: gold; font-size: 32px; }"); document.adoptedStyleSheets = [sheet];
      customElements.define("x-pill", class extends HTMLElement { connectedCallback() { const root = this.attachShadow({ mode: "open" }); root.innerHTML = "<b>pill</b>";
        const own = new CSSStyleSheet(); own.replaceSync("b { display: inline-block; padding: 8px 24px; border-radius: 99px; background: navy; color: white; }"); root.adoptedStyleSheets = [own]; } });`,
    act: (page) => page.evaluate(() => document.adoptedStyleSheets[0]!.insertRule(".box { color: darkgreen; }", 1)),
  },
  "same-origin frame": { body: `<h1>Outside</h1><iframe src="/inner" width="600" height="300"></iframe>`, act: (page) => page.frames()[1]!.evaluate(() => (document.querySelector("p")!.textContent = "Changed inside")) },
  "scroll containers": {
    body: `<div id="list" style="height: 240px; overflow: auto; border: 1px solid #999;">${Array.from({ length: 60 }, (_, n) => `<p>Line ${n}</p>`).join("")}</div>
      <div id="wide" style="width: 400px; overflow-x: auto; margin-top: 16px;"><div style="width: 2000px; background: linear-gradient(90deg, red, blue); height: 80px;"></div></div>`,
    act: (page) =>
      page.evaluate(() => {
        document.querySelector("#list")!.scrollTop = 500;
        document.querySelector("#wide")!.scrollLeft = 700;
      }),
  },
  "pictures by style sheets": {
    head: `<style>.a { background: url(/star.svg) repeat-x; height: 80px; } .b::before { content: url("/star.svg"); } .c { background: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='40' height='40'%3E%3Ccircle cx='20' cy='20' r='16' fill='teal'/%3E%3C/svg%3E"); height: 80px; }</style>`,
    body: `<div class="a"></div><p class="b">after a picture</p><div class="c"></div><ul style="list-style-image: url('/star.svg')"><li>one</li></ul><div id="late"></div>`,
    act: (page) => page.evaluate(() => (document.getElementById("late")!.style.cssText = "height: 60px; background: url(star.svg)")),
  },
  dialog: {
    body: `<p>Behind</p><dialog id="d" style="width: 400px; padding: 32px; border: 0; border-radius: 12px;"><h2>Sure?</h2><button>Yes</button></dialog><style>dialog::backdrop { background: rgb(0 0 0 / 40%); }</style>`,
    act: (page) =>
      page.evaluate(() => {
        document.querySelector("dialog")!.showModal();
        (document.activeElement as HTMLElement).blur();
      }),
  },
  SVG: {
    body: `<svg width="600" height="300" viewBox="0 0 600 300"><defs><linearGradient id="g"><stop offset="0" stop-color="tomato"/><stop offset="1" stop-color="royalblue"/></linearGradient>
      <symbol id="star" viewBox="0 0 20 20"><path d="M10 1l3 6 6 1-4.500 4.500 1 6.500-5.500-3-5.500 3 1-6.500L1 8l6-1z"/></symbol></defs>
      <rect x="10" y="10" width="280" height="120" rx="20" fill="url(#g)"/><use href="#star" x="320" y="20" width="120" height="120" fill="gold"/>
      <polyline points="20 200 80 160 140 220 200 180 260 240" fill="none" stroke="seagreen" stroke-width="6"/><text x="320" y="220" font-size="32">Chart</text></svg><img src="/star.svg" width="120" height="120">`,
  },
  "dark mode": {
    scheme: "dark",
    head: `<style>:root { color-scheme: light dark; } body { background: #fff; color: #111; } @media (prefers-color-scheme: dark) { body { background: #101418; color: #e6edf3; } .box { background: #30363d; } } .box { background: #ddd; }</style>`,
    body: `<h1>By preference</h1><p class="box">A box</p><input value="A field"> <button>Press</button>`,
  },
  "shorthands with variables": {
    head: `<link rel="stylesheet" href="/variables.css"><style>:root { --face: Georgia, serif; } h2 { font: 600 28px/1 var(--face); font-variant-numeric: tabular-nums; }</style>`,
    body: `<h1>In a file</h1><h2>In the page</h2>`,
  },
  "style sheet and picture of another origin": {
    head: `<link rel="stylesheet" href="http://localhost:PORT/far.css">`,
    body: `<h1 class="far">From afar</h1><img src="http://localhost:PORT/star.svg" width="120" height="120">`,
  },
  "style sheet and picture behind a login": { head: `<script>document.cookie = "login=yes"</script><link rel="stylesheet" href="/login.css">`, body: `<h1 class="logo">By style sheet</h1><img src="/login-picture.svg" width="300" height="150">` },
};

async function show(scene: Scene): Promise<{ tab: Page; agent: Watching }> {
  const showing = new Showing(stage);
  stage.site.page("/inner", `<!doctype html><body style="margin:16px;background:#eef;font:20px serif"><p>Inside</p>`);
  stage.site.file("/star.svg", { type: "image/svg+xml", body: STAR, shared: true });
  stage.site.file("/login-picture.svg", { type: "image/svg+xml", body: STAR, cookie: "login=yes" });
  stage.site.file("/login.css", { type: "text/css", body: `.logo { padding: 40px 40px 40px 160px; background: url(login-picture.svg) no-repeat 20px / 100px; }`, cookie: "login=yes" });
  stage.site.file("/variables.css", { type: "text/css", body: `:root { --big: 60px; } h1 { font: 700 var(--big)/1 sans-serif; font-variant-numeric: tabular-nums; border: 2px solid var(--line, teal); border-left-width: 20px; }` });
  stage.site.file("/far.css", { type: "text/css", body: `.far { padding: 60px; color: white; background: purple url("star.svg") no-repeat right; }`, shared: true });
  const { act, scheme, script = "" } = scene;
  const [head = "", body] = [scene.head, `${scene.body}<i id="end"></i>`].map((part) => part?.replaceAll("PORT", new URL(stage.site.origin).port));
  const tab = await showing.open("/scene", { script, head: scene.scheme ? head : base + head, body: body! }, VIEWPORT, scheme);
  const agent = await showing.watch(undefined, { width: 1400, height: 1000 });
  // The driver's own wish for light pages would reach into the picture.
  await agent.page.emulateMedia({ colorScheme: null });
  await press(tab, "accept");
  await agent.sees("#end");
  await act?.(tab);
  return { tab, agent };
}

/** The visitor's page without the bar, which only he sees. */
async function photographTab(tab: Page): Promise<Buffer> {
  await tab.mouse.move(VIEWPORT.width - 1, VIEWPORT.height - 1);
  await tab.evaluate(() => {
    const root = (window as unknown as { sessionRoot: ShadowRoot }).sessionRoot;
    for (const part of root.querySelectorAll<HTMLElement>("section, div")) part.style.visibility = "hidden";
  });
  return tab.screenshot({ animations: "disabled", caret: "hide" });
}

async function photographPicture({ page }: Watching): Promise<Buffer> {
  await page.addStyleTag({ content: ".replayer-mouse, .surface { visibility: hidden !important; }" });
  const clip = await page.locator("#frame").evaluate((frame) => {
    const { x, y, width, height } = frame.getBoundingClientRect();
    return { x, y, width, height };
  });
  return page.screenshot({ clip, animations: "disabled", caret: "hide" });
}

for (const [name, scene] of Object.entries(scenes)) {
  test(`${name}: at most 1 % of the pixels differ`, async () => {
    const { tab, agent } = await show(scene);
    const mine = await photographTab(tab);
    const blank = await tab.context().newPage();
    let theirs: Buffer = Buffer.alloc(0);
    let last: Difference | undefined;
    const difference = await eventually(
      async () => {
        theirs = await photographPicture(agent);
        return (last = await comparePixels(blank, mine, theirs));
      },
      ({ mismatch }) => mismatch <= MOST,
      6_000,
    ).catch(() => last!);
    measured.push(`${name.padEnd(42)} ${(difference.mismatch * 100).toFixed(3)} %`);
    const folder = process.env.SCREENSHOTS;
    if (folder) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${name}-visitor.png`), mine);
      writeFileSync(join(folder, `${name}-agent.png`), theirs);
    }
    expect(difference.mismatch).toBeLessThanOrEqual(MOST);
  });
}

afterAll(() => console.info(["Pixels that differ:", ...measured].join("\n")));
