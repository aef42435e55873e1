import { describe, expect, test } from "vitest";
import { cutAddress, replaceAddress, replaceInCss, replaceSrcset } from "./addresses";

const base = "https://shop.test/page/";
const named: string[] = [];
const nameAsset = (address: string): string => {
  if (!named.includes(address)) named.push(address);
  return `vestibule-asset:${named.indexOf(address) + 1}`;
};
const reset = (): void => void named.splice(0);

describe("addresses of links", () => {
  test.each([
    ["https://shop.test/a?token=secret#secret", "https://shop.test/a"],
    ["/a#secret", "/a"],
    ["https://ada:secret@shop.test/a", "https://shop.test/a"],
    ["javascript:alert('secret')", ""],
    [" JavaScript:secret", ""],
    ["mailto:ada@secret.test", ""],
    ["data:text/html,secret", ""],
  ])("%s", (address, expected) => expect(cutAddress(address)).toBe(expected));
});

describe("addresses of pictures, fonts and style sheets", () => {
  test("become numbers", () => {
    reset();
    expect(replaceAddress("../a.png?sig=secret", base, nameAsset)).toBe("vestibule-asset:1");
    expect(replaceAddress("https://cdn.test/b.png", base, nameAsset)).toBe("vestibule-asset:2");
    expect(replaceAddress("blob:https://shop.test/1-2", base, nameAsset)).toBe("vestibule-asset:3");
    expect(named).toEqual(["https://shop.test/a.png?sig=secret", "https://cdn.test/b.png", "blob:https://shop.test/1-2"]);
  });

  test("stay when they hold the picture themselves or point into the page, and go when they are anything else", () => {
    expect(replaceAddress("data:image/png;base64,AAAA", base, nameAsset)).toBe("data:image/png;base64,AAAA");
    expect(replaceAddress("#icon", base, nameAsset)).toBe("#icon");
    expect(replaceAddress("data:text/html,secret", base, nameAsset)).toBe("");
    expect(replaceAddress("javascript:secret", base, nameAsset)).toBe("");
    expect(replaceAddress("https://[", base, nameAsset)).toBe("");
  });

  test("of a srcset only what the browser chose", () => {
    reset();
    const srcset = "a.png 1x, /b.png?secret 2x";
    expect(replaceSrcset(srcset, "https://shop.test/b.png?secret", base, nameAsset)).toBe("vestibule-asset:1 2x");
    expect(replaceSrcset(srcset, undefined, base, nameAsset)).toBe("");
    expect(named).toEqual(["https://shop.test/b.png?secret"]);
  });
});

describe("addresses in style sheets", () => {
  test.each([
    [`a{background:url(/x.png?secret)}`, `a{background:url("vestibule-asset:1")}`],
    [`a{background:url( '/x.png?secret' )}`, `a{background:url("vestibule-asset:1")}`],
    [`a{background:URL("/x.png?\\"secret")}`, `a{background:url("vestibule-asset:1")}`],
    [`@import "/secret.css";`, `@import "vestibule-asset:1";`],
    [`@import url(/secret.css) screen;`, `@import url("vestibule-asset:1") screen;`],
    [`a{background:image-set("/secret.png" 1x, url(/s.png) 2x)}`, `a{background:image-set("vestibule-asset:2" 1x, url("vestibule-asset:1") 2x)}`],
    [`a{src:url(data:font/woff2;base64,AA)}`, `a{src:url("data:font/woff2;base64,AA")}`],
    [`a{filter:url(#f)}`, `a{filter:url("#f")}`],
    [`a{background:url("data:image/svg+xml,<svg fill='url(%23g)'/>")}`, `a{background:url("data:image/svg+xml,<svg fill='url(%23g)'/>")}`],
    [`a{color:red}`, `a{color:red}`],
  ])("%s", (css, expected) => {
    reset();
    expect(replaceInCss(css, base, nameAsset)).toBe(expected);
  });

  test("what cannot be read says nothing", () => {
    expect(replaceInCss(`a{background:url(https://x.test/"secret)}`, base, nameAsset)).not.toMatch(/(?<!no-)url\(/);
  });
});
