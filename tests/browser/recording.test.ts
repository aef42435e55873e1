/**
 * Makes the recording that the load generator replays (`benches/load/streams`), from a page that somebody works on:
 *
 *   VESTIBULE_RECORDING=../benches/load/streams/shop.jsonl npx vitest run --config vitest.browser.config.ts recording
 */

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { readEnvelope } from "../../sdk/cobrowse/envelope";
import { press, Showing } from "./support/cobrowse";
import { useStage } from "./support/stage";

const stage = useStage();
const target = process.env["VESTIBULE_RECORDING"];
/** How long somebody works on the page, in milliseconds. */
const LENGTH_MS = 12_000;

const things = Array.from(
  { length: 120 },
  (_, n) => `<article class="thing"><h3>Thing number ${n}</h3><p>It keeps warm, and lasts for <b>${n % 9} years</b>.</p><button>Into the basket</button></article>`,
);
const BODY = `<header><h1>Shop</h1><output id="basket">0 in the basket</output></header>
  <form><label>Search <input id="search"></label><label>Remark <textarea id="remark"></textarea></label></form>
  <main>${things.join("")}</main>`;
const STYLE = `<style>main { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem } .thing { border: 1px solid #ccc; padding: 1rem } .thing:hover { background: #eef }</style>`;
/** A page that moves by itself too, as shops do. */
const SCRIPT = `let count = 0;
  addEventListener("click", (event) => { if (event.target.matches("button")) { event.preventDefault(); basket.textContent = ++count + " in the basket"; event.target.closest("article").classList.add("taken"); } });
  setInterval(() => { const things = document.querySelectorAll(".thing p"); things[Math.floor(Math.random() * things.length)].textContent = "Only " + Math.ceil(Math.random() * 9) + " left"; }, 400);`;

test.runIf(target)("somebody works on a page", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/shop", { head: STYLE, body: BODY, script: SCRIPT }, { width: 1280, height: 800 });
  const parts: { at: number; message: Uint8Array }[] = [];
  tab.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => {
      if (typeof payload !== "string") parts.push({ at: performance.now(), message: new Uint8Array(payload) });
    });
  });
  await showing.watch();
  await press(tab, "accept");
  const end = performance.now() + LENGTH_MS;
  for (let step = 0; performance.now() < end; step += 1) {
    await tab.mouse.move(100 + ((step * 97) % 1000), 150 + ((step * 61) % 500), { steps: 12 });
    await tab.mouse.wheel(0, step % 3 === 2 ? -600 : 400);
    if (step % 4 === 0) await tab.type(step % 8 === 0 ? "#search" : "#remark", "warm and red ", { delay: 30 });
    if (step % 3 === 0) await tab.click(`article:nth-child(${1 + (step % 12)}) button`);
  }
  const first = parts[0]!.at;
  const lines = await Promise.all(
    parts.map(async ({ at, message }) => {
      const { keyFrame, payload } = await readEnvelope(message, 1 << 24);
      return `{"at":${Math.round(at - first)},"key":${keyFrame},"events":${Buffer.from(payload).toString()}}\n`;
    }),
  );
  writeFileSync(resolve(process.cwd(), target!), lines.join(""));
  expect(lines.length).toBeGreaterThan(50);
}, 60_000);
