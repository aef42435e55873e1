import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { ClientFrame } from "../core/frames";
import { Assets } from "./assets";

const ORIGIN = "https://shop.test";

interface Served {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly status?: number;
}

let files: Record<string, Served>;
let fetched: { address: string; credentials: string; cache: string }[];
let told: ClientFrame[];
let put: { sha256: string; type: string; text: string }[];
let connected: boolean;
let assets: Assets;

beforeEach(() => {
  files = {};
  fetched = [];
  told = [];
  put = [];
  connected = true;
  assets = new Assets({
    tell: (frame) => {
      if (connected) told.push(frame);
      return connected;
    },
    put: async (sha256, content) => put.push({ sha256, type: content.type, text: await content.text() }),
    fetch: async (address, { credentials, cache }) => {
      fetched.push({ address, credentials: credentials!, cache: cache! });
      const file = files[address];
      if (!file) throw new TypeError("no network");
      return new Response(file.body as BodyInit, { status: file.status ?? 200, headers: { "Content-Type": file.type } });
    },
    origin: ORIGIN,
    patterns: [/hush/g],
  });
});

/** Waits until so many assets were told. */
async function until(count: number): Promise<void> {
  while (told.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("an address", () => {
  test("has one number, however often it is met, and is told with the hash of what is there", async () => {
    files[`${ORIGIN}/a.svg`] = { type: "image/svg+xml; charset=utf-8", body: "<svg/>" };
    expect(assets.name(`${ORIGIN}/a.svg`)).toBe("vestibule-asset:1");
    expect(assets.name(`${ORIGIN}/a.svg`)).toBe("vestibule-asset:1");
    await until(1);
    expect(told).toEqual([{ type: "asset", asset: 1, sha256: sha256("<svg/>"), content_type: "image/svg+xml", bytes: 6 }]);
  });

  test("of the page's own origin is asked for with its cookies, any other without", async () => {
    assets.name(`${ORIGIN}/a.png`);
    assets.name("https://elsewhere.test/a.png");
    await until(2);
    expect(fetched.filter(({ cache }) => cache === "force-cache").map(({ credentials }) => credentials)).toEqual(["include", "omit"]);
  });

  test.each([
    ["is a page", { type: "text/html", body: "<p>hello" }],
    ["is a script", { type: "text/javascript", body: "1" }],
    ["is data", { type: "application/json", body: "{}" }],
    ["is not there", { type: "image/png", body: "x", status: 404 }],
    ["is too large", { type: "image/png", body: new Uint8Array((2 << 20) + 1) }],
  ])("that %s is none", async (_, file) => {
    files[`${ORIGIN}/x`] = file;
    assets.name(`${ORIGIN}/x`);
    await until(1);
    expect(told).toEqual([{ type: "noasset", asset: 1 }]);
  });

  test("of a font counts as one, whatever its server calls it", async () => {
    files[`${ORIGIN}/f.woff2?v=1`] = { type: "application/octet-stream", body: "font" };
    assets.name(`${ORIGIN}/f.woff2?v=1`);
    await until(1);
    expect(told[0]).toMatchObject({ type: "asset", content_type: "font/woff2" });
  });
});

test("a style sheet tells no addresses, and what it names follows", async () => {
  files[`${ORIGIN}/css/a.css`] = { type: "text/css", body: `a{background:url(../b.png?hush)}/* hush */` };
  files[`${ORIGIN}/b.png?hush`] = { type: "image/png", body: "png" };
  assets.name(`${ORIGIN}/css/a.css`);
  await until(2);
  const { sha256: hash } = told.find(({ content_type }) => content_type === "text/css") as ClientFrame & { sha256: string };
  assets.wanted(hash);
  await until(2);
  while (!put.length) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(put[0]).toEqual({ sha256: hash, type: "text/css", text: `a{background:url("vestibule-asset:2")}/* •••• */` });
});

test("what nobody wants is not brought, and what is not known cannot be", async () => {
  files[`${ORIGIN}/a.png`] = { type: "image/png", body: "png" };
  assets.name(`${ORIGIN}/a.png`);
  await until(1);
  assets.wanted("0".repeat(64));
  expect(put).toEqual([]);
});

test("the next connection is told all of it again", async () => {
  files[`${ORIGIN}/a.png`] = { type: "image/png", body: "png" };
  connected = false;
  assets.name(`${ORIGIN}/a.png`);
  assets.name(`${ORIGIN}/gone.png`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  connected = true;
  assets.announce();
  expect(told.map(({ type }) => type).sort()).toEqual(["asset", "noasset"]);
});

test("there is an end to them", () => {
  for (let n = 0; n < 2_000; n += 1) assets.name(`${ORIGIN}/${n}.png`);
  expect(assets.name(`${ORIGIN}/one-more.png`)).toBe("");
  assets.stop();
});
