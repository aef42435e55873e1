import { beforeEach, expect, test } from "vitest";
import { settle } from "../../../core/testing";
import { Draft } from "./draft";

let field: { value: string };
let said: { readonly text: string; readonly id: string; answer(isTaken: boolean): Promise<void> }[];
let draft: Draft;

beforeEach(() => {
  [field, said] = [{ value: "" }, []];
  draft = new Draft(
    field,
    (text, id) =>
      new Promise((resolve) => {
        said.push({
          text,
          id,
          answer: (isTaken) => {
            resolve(isTaken);
            return settle();
          },
        });
      }),
  );
});

function sends(text = field.value): (typeof said)[number] {
  field.value = text;
  void draft.send();
  return said[said.length - 1]!;
}

test("what is taken leaves the field empty, and the next one has another id", async () => {
  const first = sends(" a\u0000b\n");
  expect([first.text, field.value]).toEqual(["ab", ""]);
  await first.answer(true);
  expect(sends("ab").id).not.toBe(first.id);
  field.value = " \u0007 ";
  void draft.send();
  expect(said).toHaveLength(2);
});

test("what comes back is said again under the id that it had, as often as it takes", async () => {
  const first = sends("yes");
  await first.answer(false);
  expect(field.value).toBe("yes");
  const second = sends();
  await second.answer(false);
  const third = sends();
  expect([second.text, second.id, third.id]).toEqual(["yes", first.id, first.id]);
  await third.answer(true);
  expect(sends("yes").id).not.toBe(first.id);
});

test("changed it is another message, though he writes the same", async () => {
  const first = sends("yes");
  await first.answer(false);
  field.value = "";
  draft.changed();
  expect(sends("yes").id).not.toBe(first.id);
});

test("what he began meanwhile comes behind it, and makes another message of it", async () => {
  const first = sends("yes");
  field.value = "and";
  draft.changed();
  await first.answer(false);
  expect(field.value).toBe("yes\nand");
  expect(sends().id).not.toBe(first.id);
});
