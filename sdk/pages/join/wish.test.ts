import { expect, test } from "vitest";
import { readWish } from "./wish";

test("a visitor is named in either way and either case", () => {
  expect(readWish("?VisitorId=ada&wait=1")).toEqual({ visitorid: "ada", waits: true, credentials: undefined });
  expect(readWish("?sessionkey=ada&Wait=0")).toEqual({ visitorid: "ada", waits: false, credentials: undefined });
});

test("nobody, or what is no id, is no visitor", () => {
  for (const query of ["", "?VisitorId=", "?VisitorId=a%20b", `?VisitorId=${"a".repeat(101)}`]) expect(readWish(query)).toBeUndefined();
});

test("a login key signs in, the rest of it alone does not", () => {
  const query = "?VisitorId=ada&partnerid=1&partneruserid=ann&loginkey=%241%24x";
  expect(readWish(query)?.credentials).toEqual({ partnerid: "1", partneruserid: "ann", loginkey: "$1$x" });
  expect(readWish("?VisitorId=ada&partnerid=1")?.credentials).toBeUndefined();
});
