import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AuthorizeParams } from "../shared/glance";
import { signIn } from "./sign-in";

const authorize = vi.fn<(params: AuthorizeParams) => void>();
vi.mock("../shared/facade", () => ({ agentLibrary: () => Promise.resolve({ Authorization: { authorize } }) }));

const credentials = { partneruserid: "ann", loginkey: "$1$x" };

/** A server with settings, whose default group is this one. */
const serve = (group: string): void => void vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ mode: "configured", group })));

beforeEach(() => void authorize.mockReset());
afterEach(() => void vi.unstubAllGlobals());

test("a login key signs in to the server's group", async () => {
  serve("12345");
  authorize.mockImplementation(({ onsuccess }) => onsuccess?.({ authToken: "t", groupId: 12345 }));
  expect(await signIn(credentials)).toEqual({ group: "12345", token: "t" });
  expect(authorize.mock.calls[0]?.[0]).toMatchObject({ groupid: "12345", credentials: { partnerid: "12345", ...credentials } });
});

test("where there are several groups the partner says which", async () => {
  serve("");
  authorize.mockImplementation(({ onsuccess }) => onsuccess?.({ authToken: "t", groupId: 777 }));
  expect(await signIn({ partnerid: "7", ...credentials })).toEqual({ group: "777", token: "t" });
  expect(authorize.mock.calls[0]?.[0]).toMatchObject({ credentials: { partnerid: "7", ...credentials } });
  expect(authorize.mock.calls[0]?.[0]).not.toHaveProperty("groupid");
});

test.each([
  ["authorization", "refused"],
  ["badrequest", "refused"],
  ["connection", "connection"],
  ["unready", "connection"],
  ["ratelimited", "connection"],
])("the reason %s is told as %s", async (reason, told) => {
  serve("12345");
  authorize.mockImplementation(({ onfail }) => onfail?.(reason));
  await expect(signIn(credentials)).rejects.toThrow(told);
});

test("a server that does not answer is no refusal, and nobody is signed in without a key", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
  await expect(signIn(credentials)).rejects.toThrow("connection");
  serve("12345");
  await expect(signIn(undefined)).rejects.toThrow("nobody");
});
