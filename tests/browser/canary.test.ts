/**
 * A page with secrets in every place that ever leaked in such tools. Each secret is a word of its own, so that a failure
 * names its place. What reaches an agent is read off his sockets and his requests, not off what he is shown.
 */

import { unmaskedBundle } from "./support/unmasked";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { press, Showing, type Watching } from "./support/cobrowse";
import { useStage } from "./support/stage";

const stage = useStage({
  settings: { cobrowse: { mask: [".by-selector"], patterns: ["(?i)canary-[a-z]+-[0-9]+"] } },
});

/** A number that any shop's test system takes. */
const CARD = "4111 1111 1111 1111";

/** Places in which a masked element may tell something; `WORD` is replaced by a word of the place's own. */
const maskedPlaces: Record<string, string> = {
  text: `<p MASK>WORD</p>`,
  nested: `<div MASK><ul><li><b>WORD</b></li></ul></div>`,
  title: `<p MASK title="WORD">x</p>`,
  alt: `<img MASK alt="WORD">`,
  label: `<p MASK aria-label="WORD" aria-description="WORD">x</p>`,
  data: `<p MASK data-name="WORD" data-json='{"name":"WORD"}'>x</p>`,
  unknown: `<p MASK account="WORD">x</p>`,
  value: `<input MASK value="WORD">`,
  placeholder: `<input MASK placeholder="WORD">`,
  button: `<input MASK type="button" value="WORD">`,
  textarea: `<textarea MASK>WORD</textarea>`,
  editable: `<div MASK contenteditable>WORD</div>`,
  option: `<select MASK><option selected>WORD</option><option label="WORD">y</option></select>`,
  optgroup: `<div MASK><select><optgroup label="WORD"><option>z</option></optgroup></select></div>`,
  svg: `<svg MASK width="90" height="20"><title>WORD</title><text y="15">WORD</text></svg>`,
  details: `<details MASK><summary>WORD</summary>WORD</details>`,
  table: `<table MASK><caption>WORD</caption><tr><td abbr="WORD">WORD</td></tr></table>`,
  list: `<div MASK><input list="l"><datalist id="l"><option value="WORD"></datalist></div>`,
  meter: `<output MASK>WORD</output>`,
  picture: `<figure MASK><figcaption>WORD</figcaption></figure>`,
};

/** Secret whatever the group says: what fields hold, code, and what is behind `?` and `#`. */
const alwaysPlaces: Record<string, string> = {
  password: `<input type="password" value="WORD">`,
  card: `<input autocomplete="cc-number" value="WORD">`,
  code: `<input autocomplete="one-time-code" value="WORD">`,
  fresh: `<input autocomplete="new-password" value="WORD">`,
  named: `<input name="card_number" value="WORD"><input id="cvv" value="WORD">`,
  hidden: `<input type="hidden" name="csrf" value="WORD">`,
  comment: `<!-- WORD -->`,
  script: `<script type="application/json">{"token":"WORD"}</script>`,
  noscript: `<noscript>WORD</noscript>`,
  handler: `<button onclick="pay('WORD')">pay</button>`,
  link: `<a href="/a?token=WORD#WORD">a</a><a href="mailto:WORD@shop.test">mail</a><a href="javascript:'WORD'">js</a>`,
  form: `<form action="/pay?token=WORD"><button formaction="/x?WORD">x</button></form>`,
  image: `<img src="/picture.svg?token=WORD" srcset="/picture.svg?token=WORD 1x, /p2.svg?WORD 2x">`,
  frame: `<iframe src="/frame?token=WORD" title="f"></iframe>`,
  outside: `<iframe src="http://localhost:9/frame?token=WORD" srcdoc=""></iframe>`,
  object: `<object data="/o?WORD"></object><embed src="/e?WORD">`,
  video: `<video src="/v.mp4?WORD" poster="/picture.svg?WORD"></video>`,
  style: `<p style="background: url('/picture.svg?token=WORD')">x</p>`,
  sheet: `<style>.z { background: url(/picture.svg?WORD); --x: url("/y?WORD"); }</style>`,
  icon: `<svg><image href="/picture.svg?WORD"/><use href="/picture.svg?WORD#a"/></svg>`,
  record: `<div data-page='{"user":{"name":"WORD","address":"somewhere in a long street, 12345 Town"}}'>x</div>`,
  block: `<section data-vestibule-block title="WORD"><p>WORD</p><input value="WORD"></section>`,
};

/** Places in open elements: here a pattern of the group and the number of a card are looked for. */
const openPlaces: Record<string, string> = {
  text: `<p>for WORD</p>`,
  parts: `<p>f<b>or WORD</b></p>`,
  title: `<p title="WORD">x</p>`,
  alt: `<img alt="WORD">`,
  label: `<p aria-label="WORD">x</p>`,
  data: `<p data-n="WORD">x</p>`,
  class: `<p class="WORD" id="WORD">x</p>`,
  value: `<input value="WORD">`,
  placeholder: `<input placeholder="WORD">`,
  textarea: `<textarea>WORD</textarea>`,
  editable: `<div contenteditable>WORD</div>`,
  option: `<select><option selected value="WORD">WORD</option></select>`,
  path: `<a href="/account/WORD/">a</a>`,
  style: `<p style="--note: 'WORD'">x</p>`,
  sheet: `<style>.y::after { content: "WORD"; }</style>`,
  svg: `<svg><text>WORD</text></svg>`,
};

/** Words that people may read and no rule knows but the one under test. */
const secret = (kind: string, place: string): string => `quokka${kind}${place}`;
const fill = (markup: string, word: string): string => markup.replaceAll("WORD", word);
const all = (places: Record<string, string>, word: (place: string) => string): string =>
  Object.entries(places).map(([place, markup]) => fill(markup, word(place))).join("\n");

const masks = { attribute: "data-vestibule-mask", class: `class="data-vestibule-mask"`, selector: `class="by-selector"` };
const maskedBody = Object.entries(masks)
  .map(([kind, mark]) => all(maskedPlaces, (place) => secret(kind, place)).replaceAll("MASK", mark))
  .join("\n");
const openBody = all(openPlaces, (place) => `canary-${place}-1`) + all(openPlaces, () => CARD);

interface Scene {
  readonly showing: Showing;
  readonly tab: Page;
  readonly agent: Watching;
}

async function shown(body: string, script = "", bundle?: string): Promise<Scene> {
  const showing = new Showing(stage, { bundle });
  stage.site.page("/frame", "<!doctype html><p data-vestibule-mask>quokkainsideframe</p><input type=password value=quokkaframepassword>");
  const tab = await showing.open("/canary", { body: `${body}<p id="end">the end</p>`, script });
  const agent = await showing.watch();
  await press(tab, "accept");
  await agent.sees("#end");
  return { showing, tab, agent };
}

/** All that left the page and all that reached the agent so far: a mark goes through last. */
async function told({ showing, tab, agent }: Scene): Promise<string> {
  const mark = `mark${Math.random().toString(36).slice(2)}`;
  await tab.evaluate((text) => document.body.append(Object.assign(document.createElement("p"), { id: text })), mark);
  await agent.sees(`#${mark}`);
  const [sent, received] = await Promise.all([showing.sent.text(), agent.tap.text()]);
  // The taps do hear.
  for (const text of [sent, received]) expect(text).toContain(mark);
  return sent + received;
}

const leaks = (text: string): string[] => [...new Set(text.match(/quokka\w+|canary-\w+-\d+|4111.?1111.?1111.?1111/gi) ?? [])];

describe("nothing of a secret reaches an agent", () => {
  test("of masked elements, by attribute, class and selector, in every place", async () => {
    const scene = await shown(maskedBody);
    expect(leaks(await told(scene))).toEqual([]);
  });

  test("of fields, code and addresses, whatever the group says", async () => {
    const scene = await shown(all(alwaysPlaces, (place) => secret("always", place)));
    expect(leaks(await told(scene))).toEqual([]);
  });

  test("of card numbers and declared patterns in open elements", async () => {
    const scene = await shown(openBody, `document.title = "canary-title-1 ${CARD}";`);
    expect(leaks(await told(scene))).toEqual([]);
  });

  test("of what changes later: texts, attributes, values, types, nodes, the title, the address", async () => {
    const scene = await shown(`<div id="m" data-vestibule-mask><p id="t">x</p><input id="i"></div>
      <input id="pw" type="password"><input id="late" value="x"><input id="cc" autocomplete="cc-number"><p id="o">x</p><input id="oi"><div id="becomes">x</div>`);
    const { tab } = scene;
    await tab.fill("#pw", "quokkatyped");
    await tab.fill("#cc", "quokkacard");
    await tab.fill("#i", "quokkamaskedinput");
    await tab.evaluate((card) => {
      const id = (name: string) => document.getElementById(name) as HTMLInputElement;
      id("t").textContent = "quokkatext";
      id("t").title = "quokkatitle";
      id("t").dataset.x = "quokkadata";
      id("m").insertAdjacentHTML("beforeend", `<p title="quokkaadded">quokkaadded</p><textarea>quokkaarea</textarea>`);
      id("pw").type = "text";
      id("late").type = "password";
      id("o").textContent = `canary-later-1 ${card}`;
      id("o").setAttribute("aria-label", `canary-later-2 ${card}`);
      document.title = `canary-title-2 ${card}`;
      history.pushState(null, "", "/spa/canary-path-1?token=quokkaquery#quokkahash");
      document.head.insertAdjacentHTML("beforeend", `<style>.q { background: url("/x?quokkastyle") }</style>`);
      document.styleSheets[0]?.insertRule?.(`.r { background: url("/y?quokkarule"); content: "canary-rule-1" }`);
      id("o").style.backgroundImage = `url("/z?quokkainline")`;
      id("becomes").setAttribute("data-vestibule-mask", "");
      id("becomes").textContent = "quokkabecame";
    }, CARD);
    await tab.fill("#pw", "quokkatoggled");
    await tab.fill("#late", "quokkalate");
    await tab.locator("#oi").pressSequentially(CARD);
    const text = await told(scene);
    expect(leaks(text)).toEqual([]);
    // Nor most of the number, while it was being typed.
    expect(text).not.toMatch(/4111 ?1111 ?1/);
  });

  test("of shadow trees, open and adopted", async () => {
    const scene = await shown(
      `<x-a></x-a>`,
      `customElements.define("x-a", class extends HTMLElement {
        connectedCallback() {
          const root = this.attachShadow({ mode: "open" });
          root.innerHTML = '<p data-vestibule-mask>quokkashadow</p><input id="p" type="password" value="quokkashadowpassword"><p title="canary-shadow-1">canary-shadow-2 ${CARD}</p>';
          const sheet = new CSSStyleSheet();
          sheet.replaceSync('p { background: url("/q?quokkaadopted") } p::after { content: "canary-adopted-1" }');
          root.adoptedStyleSheets = [sheet];
        }
      });`,
    );
    const { tab } = scene;
    await tab.evaluate(() => {
      const input = document.querySelector("x-a")!.shadowRoot!.getElementById("p") as HTMLInputElement;
      input.focus();
      input.type = "text";
    });
    await tab.keyboard.type("quokkashadowtyped");
    expect(leaks(await told(scene))).toEqual([]);
  });
});

test("with a recorder that masks nothing, the server still lets no card's number and no declared pattern through", async () => {
  const scene = await shown(openBody + all(maskedPlaces, (place) => secret("none", place)), "", await unmaskedBundle());
  await told(scene);
  const received = leaks(await scene.agent.tap.text());
  // The recorder masked nothing indeed.
  expect(received).toContain(secret("none", "text"));
  expect(received.filter((leak) => !leak.startsWith("quokka"))).toEqual([]);
});
