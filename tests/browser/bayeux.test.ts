/** The official JavaScript client of CometD, as it is, in a browser: an agents' page of another origin than the server's. */

import type { Page } from "playwright-core";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { mintToken } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";

const stage = useStage({
  settings: { groupFacades: { genesys: "token" }, bayeux: { timeout_ms: 2000, tabs: 1, tabs_pause_ms: 500 } },
});

const sdk = resolve(import.meta.dirname, "../../sdk");
let address: string;

beforeAll(async () => {
  const { build } = createRequire(`${sdk}/package.json`)("esbuild") as typeof import("esbuild");
  const bundle = await build({
    stdin: { contents: 'export * from "cometd";', resolveDir: sdk },
    bundle: true,
    format: "iife",
    globalName: "library",
    write: false,
  });
  stage.site.file("/cometd.js", { type: "text/javascript", body: bundle.outputFiles[0]!.text });
  address = stage.site.page("/desk", html({ script: "" }));
});

/** A desktop's page with a client that is connected and hears `/desk/**`. */
async function desk(page: Page, transport: string): Promise<void> {
  await page.goto(address);
  await page.addScriptTag({ url: "/cometd.js" });
  const token = mintToken({ scope: "session topics", topics: { publish: ["#"], subscribe: ["#"] } });
  await page.evaluate(
    async ({ url, transport, token }) => {
      const { CometD } = (window as any).library;
      const cometd = new CometD();
      for (const name of ["websocket", "long-polling", "callback-polling"]) {
        if (name !== transport) cometd.unregisterTransport(name);
      }
      cometd.configure({ url, logLevel: "warn" });
      const shared = ((window as any).shared = { cometd, heard: [] as unknown[], advice: [] as unknown[] });
      cometd.addListener("/meta/connect", (message: any) => message.advice && shared.advice.push(message.advice));
      await new Promise<void>((resolve, reject) => {
        cometd.handshake({ ext: { token } }, (answer: any) => (answer.successful ? resolve() : reject(new Error(JSON.stringify(answer)))));
      });
      await new Promise((resolve) => cometd.subscribe("/desk/**", (message: any) => shared.heard.push(message.data), resolve));
    },
    { url: `${stage.server.origin}/cobrowse/cometd`, transport, token },
  );
}

const publish = (page: Page, data: unknown): Promise<boolean> =>
  page.evaluate(
    (data) => new Promise((resolve) => (window as any).shared.cometd.publish("/desk/news", data, (answer: any) => resolve(answer.successful))),
    data,
  );

const hears = (page: Page, count: number): Promise<unknown> =>
  page.waitForFunction((count) => (window as any).shared.heard.length === count, count);

describe.each(["websocket", "long-polling"])("over %s", (transport) => {
  test("a page of another origin shakes hands, hears and speaks", async () => {
    const { context } = await stage.person("agent");
    const page = await context.newPage();
    await desk(page, transport);
    expect(await publish(page, { n: 1 })).toBe(true);
    await hears(page, 1);
    const left = await page.evaluate(() => new Promise((resolve) => (window as any).shared.cometd.disconnect((answer: any) => resolve(answer.successful))));
    expect(left).toBe(true);
  });
});

test("several tabs of one browser take turns over long-polling, and each hears everything", async () => {
  const { context } = await stage.person("agent");
  const tabs = [await context.newPage(), await context.newPage(), await context.newPage()];
  for (const tab of tabs) await desk(tab, "long-polling");
  for (let n = 1; n < 4; n += 1) expect(await publish(tabs[0]!, { n })).toBe(true);
  for (const tab of tabs) await hears(tab, 3);
  const told = await Promise.all(tabs.map((tab) => tab.evaluate(() => (window as any).shared.advice)));
  expect(told.flat().some((advice) => advice["multiple-clients"] === true)).toBe(true);
});

test("a page of a foreign origin gets nothing", async () => {
  const { context } = await stage.person("stranger");
  const page = await context.newPage();
  const foreign = address.replace("127.0.0.1", "localhost");
  await page.goto(foreign);
  const read = await page.evaluate(
    (url) => fetch(url, { method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: "[]" }).then(() => "read", () => "refused"),
    `${stage.server.origin}/cobrowse/cometd/handshake`,
  );
  expect(read).toBe("refused");
});
