// @vitest-environment happy-dom

import { afterEach, expect, test } from "vitest";
import { awayBy } from "./leaving";

const origins = ["https://shop.example", "https://help.shop.example"];

/** Where a click on the first link of this document, or on what is marked in it, leads. */
function click(html: string, options: MouseEventInit = {}, defaultPrevented = false): string | undefined {
  document.body.innerHTML = html;
  const path: Element[] = [];
  for (let element = document.querySelector("[data-here]") ?? document.querySelector("a"); element; element = element.parentElement) path.push(element);
  // Not dispatched: this document would go where the link leads.
  return awayBy({ button: 0, ...options, defaultPrevented, composedPath: () => path } as unknown as MouseEvent, window, origins);
}

afterEach(() => void (document.body.innerHTML = ""));

test("a link to another site leads away, from whatever is inside of it", () => {
  expect(click(`<a href="https://other.example/x?y=1#z">Other</a>`)).toBe("https://other.example/x?y=1#z");
  expect(click(`<p><a href="https://other.example/"><b data-here>Other</b></a></p>`)).toBe("https://other.example/");
  expect(click(`<a href="https://other.example/" target="_self">Other</a>`)).toBe("https://other.example/");
});

test.each([
  ["a page of the same origin", `<a href="/two">Two</a>`],
  ["another origin of the group", `<a href="https://help.shop.example/">Help</a>`],
  ["a new tab", `<a href="https://other.example/" target="_blank">Other</a>`],
  ["a download", `<a href="https://other.example/" download>Other</a>`],
  ["mail", `<a href="mailto:ada@other.example">Mail</a>`],
  ["a script", `<a href="javascript:void(0)">Script</a>`],
  ["no address", `<a>Nothing</a>`],
  ["no link", `<p data-here>Text</p>`],
])("%s does not", (_, html) => expect(click(html)).toBeUndefined());

test("nor does a click that the page handles, or one for another tab", () => {
  const html = `<a href="https://other.example/">Other</a>`;
  expect(click(html, {}, true)).toBeUndefined();
  for (const options of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }, { button: 1 }]) expect(click(html, options)).toBeUndefined();
});
