import { describe, expect, test } from "vitest";
import { settle } from "../core/testing";
import { connected, server, visitor } from "./testing";
import type { Visitor } from "./visitor";

describe("help", () => {
  const HELP = "0190163d8694739b8a8c1e7ee7a2b3c6";
  const helped = (made: Visitor): string[] => {
    const told: string[] = [];
    made.on("help", ({ status, agent }) => told.push([status, agent].filter(Boolean).join(" ")));
    return told;
  };

  test("is asked for, told once however often it is said, and taken", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    const socket = await connected(made);
    const asked = made.askHelp("Which size?");
    await settle();
    expect(socket.last("askhelp")).toMatchObject({ text: "Which size?" });
    await socket.say({ type: "help", help: HELP, status: "pending" });
    await socket.ok("askhelp", { help: HELP, status: "pending" });
    expect(await asked).toMatchObject({ help: HELP, status: "pending" });
    expect(made.help).toEqual({ help: HELP, status: "pending" });
    await socket.say({ type: "help", help: HELP, status: "accepted", agent: "Ann" });
    expect(made.help).toEqual({ help: HELP, status: "accepted", agent: "Ann" });
    expect(told).toEqual(["pending", "accepted Ann"]);
  });

  test("is found by the next page, and what ended meanwhile is over", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    void made.connect();
    const socket = await server.welcome({ help: { help: HELP, status: "pending" } });
    expect(made.help?.status).toBe("pending");
    await socket.drop();
    await server.clock.pass(1_000);
    await server.welcome();
    expect(made.help).toBeUndefined();
    expect(told).toEqual(["pending", "unavailable"]);
  });

  test("is wanted no more", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    const socket = await connected(made);
    await socket.say({ type: "help", help: HELP, status: "pending" });
    const canceled = made.cancelHelp();
    await settle();
    await socket.say({ type: "help", help: HELP, status: "canceled" });
    await socket.ok("cancelhelp");
    await canceled;
    expect(told).toEqual(["pending", "canceled"]);
    expect(made.help).toBeUndefined();
  });

  test("is refused with the server's reason", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    const asked = made.askHelp();
    await settle();
    await socket.refuse("askhelp", "toomany");
    await expect(asked).rejects.toMatchObject({ code: "toomany" });
  });
});
