import { readFileSync } from "node:fs";
import { Window as FakeWindow } from "happy-dom";
import { expect, test } from "vitest";
import { languages, type Texts } from "./languages";
import { fill, wordsOf } from "./words";

test.each([
  ["de-AT", "fr", "Senden"],
  ["DE", "en", "Senden"],
  ["", "fr-CA", "Envoyer"],
  ["xx", "nl", "Verzenden"],
  [undefined, "__proto__", "Send"],
])("the page's language %j, else the browser's %j, else English", (language, browser, send) => {
  expect(wordsOf({ language }, browser)("send")).toBe(send);
});

test("times are written as the browser does where it has the same language", () => {
  expect([wordsOf({ language: "en" }, "en-GB").locale, wordsOf({ language: "de" }, "en-GB").locale]).toEqual(["en-GB", "de"]);
});

test("each language has all texts, and names agents where English does", () => {
  const english = languages["en"] as Texts;
  for (const texts of Object.values(languages)) {
    expect(Object.keys(texts)).toEqual(Object.keys(english));
    for (const [key, text] of Object.entries(texts)) expect(text.includes("{name}"), key).toBe(english[key as keyof Texts].includes("{name}"));
  }
});

test("a page's own words go first; what is no text, or no key of ours, is passed over", () => {
  const own = { send: "Los!", typing: "{name} tippt", close: 7, minimize: null, unknown: "x", share: "x".repeat(500) };
  const words = wordsOf({ language: "de", words: own }, "en");
  expect([words("send"), words("typing", "Ann"), words("close"), words("minimize")]).toEqual(["Los!", "Ann tippt", "Schließen", "Verkleinern"]);
  expect(words("share")).toHaveLength(200);
  // A name is put in as it is.
  expect(words("typing", "$& {name}")).toBe("$& {name} tippt");
  expect(words("typing")).toBe("Unser Service tippt");
});

test("the document gets them as text and never as markup, each in its place", () => {
  const { document } = new FakeWindow() as unknown as Window;
  document.body.innerHTML = readFileSync(new URL("../../../pages/connect/index.html", import.meta.url), "utf8").replace(/[\s\S]*<body[^>]*>|<\/body>[\s\S]*/g, "");
  fill(document, wordsOf({ language: "fr", words: { "invitation.accept": "<img src=x onerror=alert(1)>" } }, "en"));
  expect(document.documentElement.lang).toBe("fr");
  expect(document.querySelector("#accept")!.textContent).toBe("<img src=x onerror=alert(1)>");
  expect(document.querySelector("img")).toBeNull();
  expect(document.querySelector("#send")!.getAttribute("aria-label")).toBe("Envoyer");
  expect(document.querySelector("#text")!.getAttribute("placeholder")).toBe("Écrire un message");
  for (const name of ["text", "label", "tip", "hint"]) {
    for (const element of document.querySelectorAll<HTMLElement>(`[data-${name}]`)) expect(Object.keys(languages["en"]!)).toContain(element.dataset[name]);
  }
});

test("the guide lists the keys, and no others", () => {
  const guide = readFileSync(new URL("../../../../docs/site_connect.md", import.meta.url), "utf8");
  const listed = /## Words[\s\S]*?\n\n((?:`[a-z.]+`[,.]?\s)+)/.exec(guide)?.[1] ?? "";
  expect([...listed.matchAll(/`([a-z.]+)`/g)].map(([, key]) => key)).toEqual(Object.keys(languages["en"]!));
});
