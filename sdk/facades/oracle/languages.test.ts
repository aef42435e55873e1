import { expect, test } from "vitest";
import { languageOf, nameOf } from "./languages";

test.each<[unknown, number]>([
  [1031, 1031],
  ["1031", 1031],
  ["de", 1031],
  ["DE-at", 1031],
  ["fr-CA", 3084],
  ["fr_BE", 1036],
  ["en-GB", 2057],
  ["zh-Hant-TW", 2052],
  ["zh-TW", 1028],
  ["sr-Latn-RS", 2074],
  ["tlh", 1033],
  [9999, 1033],
  ["", 1033],
  [undefined, 1033],
  [null, 1033],
  [{}, 1033],
])("%j is %i", (given, lcid) => expect(languageOf(given)).toBe(lcid));

test("a number has a name", () => {
  expect([1031, 3084, 1044, 4711].map(nameOf)).toEqual(["de", "fr-ca", "nb", "en"]);
});
