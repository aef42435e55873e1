import { expect, test } from "vitest";
import { byteLength } from "../core/limits";
import { FakePage } from "../core/testing";
import { describeBrowser, describePage } from "./page";

const browser = (userAgent: string, userAgentData?: object) =>
  describeBrowser({ userAgent, userAgentData } as unknown as Parameters<typeof describeBrowser>[0]);

test("the browser by its hints, else by its agent text", () => {
  const brands = [
    { brand: "Not)A;Brand", version: "8" },
    { brand: "Chromium", version: "138" },
    { brand: "Google Chrome", version: "138" },
  ];
  expect(browser("", { brands, platform: "Windows" })).toEqual({ browser: "Chrome", browserver: "138", platform: "Windows" });
  expect(browser("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0")).toEqual({
    browser: "Firefox",
    browserver: "141.0",
    platform: "Linux",
  });
  const safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1";
  expect(browser(safari)).toEqual({ browser: "Safari", browserver: "18.5", platform: "iOS" });
  const edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0";
  expect(browser(edge)).toMatchObject({ browser: "Edge", platform: "Windows" });
  expect(browser("curl")).toEqual({ browser: "Unknown", browserver: "", platform: "Unknown" });
});

test("the page's own fields always fit", () => {
  const page = new FakePage(undefined, `http://shop.test/a?${"q".repeat(600)}#${"f".repeat(600)}`);
  page.window.document.title = "ä".repeat(2000);
  const { url, title } = describePage(page.window, page.window);
  expect(url).toBe(`http://shop.test/a?${"q".repeat(600)}`);
  expect(byteLength(String(title))).toBeLessThanOrEqual(1024);
  expect(String(title)).toMatch(/^ä+…$/);
});
