/** Desktops made for Genesys Co-browse where the group wants tokens; and the controller kit under Node. */

import { adapt } from "cometd-nodejs-client";
import { expect, test } from "vitest";
import { Interaction } from "../../sdk/facades/genesys";
import { customer, GenesysDesktop } from "./support/genesys";
import { Journal } from "./support/journal";
import { DemoPage } from "./support/demo";
import { API_KEY, mintToken } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage({ settings: { groupFacades: { genesys: "token" } } });

test("the kit asks for a seat by the agent's token, and the page leaves no ticket in its address", async () => {
  const { showing, token } = await customer(stage);
  const desktop = await GenesysDesktop.open(stage, { token: mintToken({ name: "Ann" }) });
  expect(new URL(await desktop.join(token)).hash).toMatch(/^#nosidinput=1&sid=\d{9}&ticket=[\w.%-]+$/);
  await desktop.view.sees("#one");
  expect(new URL(desktop.frame.url()).hash).toBe(`#nosidinput=1&sid=${token}`);
  const came = await showing.visitor.journal.next("sessionevent", ({ what, member }) => what === "joined" && member.role === "agent");
  expect(came.member).toMatchObject({ name: "Ann", permissions: { control: true } });
  // A reload goes on with the seat, though the desktop's page names the ticket that was used.
  const loaded = desktop.frame.waitForNavigation();
  await desktop.frame.evaluate(() => location.reload());
  await loaded;
  await desktop.view.sees("#one");
  expect(await desktop.close("closed")).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1 });
});

test("the digits alone open nothing, and the page says so", async () => {
  const { token } = await customer(stage);
  const desktop = await GenesysDesktop.open(stage, { frame: `<iframe src="${stage.server.origin}/cobrowse/slave.html#sid=${token}"></iframe>` });
  await desktop.page.frameLocator("iframe").locator("#notice-text", { hasText: "with a ticket" }).waitFor();
  expect(await desktop.frame.isVisible("#sid")).toBe(false);
  expect(await desktop.join(token)).toBe("authorization");
});

test("the demo's desktop asks for a key where the server has settings, and joins", async () => {
  const { token } = await customer(stage);
  const { page } = await DemoPage.open(stage, "desktop", "/demo/desktop");
  await page.locator("body[data-desktop=asking]").waitFor();
  await page.fill("#user", "Ann");
  await page.fill("#secret", "a wrong key");
  await page.click("[data-testid=sign-in]");
  await page.locator("#sign-in-error", { hasText: "does not accept" }).waitFor();
  await page.fill("#secret", API_KEY);
  await page.press("#secret", "Enter");
  await page.locator("body[data-desktop=ready]").waitFor();
  await page.click("#call");
  await page.fill("#token", token);
  await page.press("#token", "Enter");
  await page.locator("[data-key=CoBrowseStartTime]").waitFor();
});

test("under Node the same kit joins, hears the session become active, and stops it", async () => {
  adapt();
  const { showing, token } = await customer(stage);
  const bearer = mintToken({ name: "Ann" });
  const told = new Journal("the kit under Node");
  const interaction = new Interaction({ root: `${stage.server.origin}/cobrowse`, token: () => bearer, stickiness: "cookie" });
  for (const name of ["attach", "over", "lost"] as const) interaction.events.on(name, (data) => told.add(name, data));
  const address = await interaction.join(token);
  await told.next("attach", ({ CoBrowseAssociated }) => CoBrowseAssociated === "Yes");
  // An embedded browser shows the page.
  const { context } = await stage.person("embedded");
  const page = await context.newPage();
  await page.goto(address);
  await told.next("attach", ({ CoBrowseStartTime }) => /^\d{13}$/.test(CoBrowseStartTime));
  const data = await interaction.close("transferred");
  expect((await told.next("over")).data).toEqual(data);
  expect(data).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseDuration: expect.any(Number) });
  await showing.visitor.journal.next("sessionend");
  expect(told.all("lost")).toEqual([]);
});
