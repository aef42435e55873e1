/** What `docs/compatibility.md` says of `site_connect` is what the script does. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Window as FakeWindow } from "happy-dom";
import { expect, test } from "vitest";
import { install } from "./install";
import { topics } from "./topics";

const [, page = ""] = readFileSync(resolve(import.meta.dirname, "../../../docs/compatibility.md"), "utf8").split("# Compatibility with Channel.me's interface\n");

/** The first names of a table's rows, by what is said of them. */
function said(head: string): Map<string, string> {
  const [, table = ""] = page.split(`\n| ${head}`);
  const rows = table.split("\n\n")[0]!.split("\n").slice(2);
  const cells = rows.map((row) => row.replace(/^\| /, "").split(" | "));
  for (const [name, here] of cells) expect(["works", "differs", "added", "missing"], name).toContain(here);
  return new Map(cells.map(([name, here]) => [name!.replace(/`/g, ""), here!]));
}

const there = (rows: Map<string, string>): string[] => [...rows].filter(([, here]) => here !== "missing").map(([name]) => name);

test("each function is there, and no other", () => {
  const window = new FakeWindow({ url: "https://shop.test/" });
  const { document } = window;
  document.body.innerHTML = `<script data-no-init></script>`;
  const fake = window as unknown as Window & { site_connect: object };
  install(fake, document.querySelector("script") as unknown as HTMLScriptElement);
  const first = fake.site_connect;
  expect(Object.keys(first).sort()).toEqual(there(said("function")).sort());
  // The script loaded twice is the script loaded once.
  install(fake, null);
  expect(fake.site_connect).toBe(first);
});

test("each topic is there, and no other", () => {
  expect(there(said("topic")).sort()).toEqual(Object.values(topics).sort());
});

test("each attribute that a page may set is read, and no other", () => {
  const uses = [...said("use").keys()].join(" ");
  const named = new Set([...uses.matchAll(/data-([a-z-]+)/g)].map(([, name]) => name));
  const read = [...readFileSync(resolve(import.meta.dirname, "install.ts"), "utf8").matchAll(/dataset\["(\w+)"\]/g)];
  const written = new Set(read.map(([, name]) => name!.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)));
  expect([...written].sort()).toEqual([...named].sort());
  for (const use of ["#wwwchannelme with data-code", "the script with data-code", "data-no-init"]) expect(uses).toContain(use);
});

/** The names of the original's page: none of them is passed over. */
const ORIGINAL = {
  function: `subscribe unsubscribe publish start stop_session`,
  topic: `~/site_connect/ready ~/site_connect/retry ~/site_connect/error ~/site_connect/new_code ~pagesession/cobrowsing/start
    ~pagesession/cobrowsing/stop ~pagesession/show_frame ~pagesession/minimize_frame ~pagesession/hide_frame
    ~/site_connect/chat_button/:button_id:/enabled ~/site_connect/chat_button/:button_id:/disabled ~pagesession/chat/trigger
    ~pagesession/proactive/trigger`,
};

test.each(Object.entries(ORIGINAL))("no %s of the original is passed over", (kind, names) => {
  expect([...said(kind).keys()].sort()).toEqual(names.split(/\s+/).sort());
});
