/** An agent sees the visitor's page as it is: consent, page changes, reloads, tabs, several agents, pause and stop. */

import { expect, test } from "vitest";
import { barSays, press, Showing, Watching } from "./support/cobrowse";
import { DemoPage } from "./support/demo";
import { eventually } from "./support/journal";
import { setVisibility, travel } from "./support/page";
import { API_KEY } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage();
const secretive = useStage({ settings: { cobrowse: { private: true, allow: [".open"] } } });

const page = (name: string, rest = "") => ({
  head: "<style>p { color: rgb(10, 20, 30); }</style>",
  body: `<h1 id="${name}">${name}</h1><p>Words of ${name}</p><a href="/two">two</a>${rest}`,
});

async function shown(name = "one", rest?: string) {
  const showing = new Showing(stage);
  const tab = await showing.open(`/${name}`, page(name, rest));
  const agent = await showing.watch();
  await press(tab, "accept");
  await agent.sees(`#${name}`);
  return { showing, tab, agent };
}

test("nothing is seen before the visitor agreed, then the page as it is", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", page("one"));
  const agent = await showing.watch();
  await agent.standing("asking");
  expect(await agent.picture("html")).toBeUndefined();
  await press(tab, "accept");
  const frame = await agent.sees("#one");
  expect(await frame.evaluate(() => getComputedStyle(document.querySelector("p")!).color)).toBe("rgb(10, 20, 30)");
  await agent.standing("live");
  await eventually(() => barSays(tab), (words) => words?.includes("sees this page") ?? false);
  expect(agent.errors).toEqual([]);
  expect(agent.page.url()).not.toContain("#");
});

test("changes, scrolling and typing are seen", async () => {
  const { tab, agent } = await shown("one", `<input id="name"><div style="height: 4000px"></div>`);
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "Changed"));
  await agent.until(`document.querySelector("p").textContent === "Changed"`);
  await tab.fill("#name", "Ada");
  await agent.until(`document.querySelector("#name").value === "Ada"`);
  await tab.evaluate(() => scrollTo(0, 1200));
  await agent.until(`Math.abs(scrollY - 1200) < 2`);
});

test("a page change and a reload are followed, without asking again", async () => {
  const { showing, tab, agent } = await shown();
  showing.put("/two", page("two"));
  await tab.click("a");
  await agent.sees("#two");
  await tab.reload();
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "After the reload"));
  await agent.until(`document.querySelector("p").textContent === "After the reload"`);
  expect(await barSays(tab)).toContain("sees this page");
});

test("an agent hands over to another, who is told at his desk and sees it at once", async () => {
  const { agent, tab } = await shown();
  const desk = await DemoPage.open(stage, "bob", "/demo/agent");
  await desk.signIn("key", "bob", API_KEY);
  await desk.has("body[data-session=ready]");

  const { page } = agent;
  await page.click("#hand-over");
  await page.keyboard.press("Enter");
  expect(await page.textContent("#handing-error")).toBe("Say to whom.");
  await page.keyboard.type("bob");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/hand-over.png` });
  await page.keyboard.press("Enter");
  await eventually(() => page.textContent("#waiting"), (words) => words === "Waiting for bob to take over");
  await agent.standing("live");

  await desk.has(".offer", "over to you");
  if (process.env.SCREENSHOTS) await desk.page.screenshot({ path: `${process.env.SCREENSHOTS}/offer.png` });
  // An offer waits for one who was not at his desk.
  await desk.page.reload();
  await desk.signIn("key", "bob", API_KEY);
  const opened = desk.context.waitForEvent("page");
  await desk.click("[data-action=take-over]");
  const second = new Watching(await opened, desk.diary.errors);
  await second.sees("#one");
  await agent.standing("handed");
  expect(await agent.picture("html")).toBeUndefined();
  await desk.page.locator(".offer").waitFor({ state: "detached" });
  expect(await barSays(tab)).toBe("An agent sees this page");
});

test("an agent's reload, and a second agent, see it at once", async () => {
  const { showing, agent } = await shown();
  await agent.page.reload();
  await agent.sees("#one");
  const second = await showing.watch();
  await second.sees("#one");
  await agent.sees("#one");
});

test("while the visitor pauses nothing is seen, and after he stopped nothing any more", async () => {
  const { tab, agent } = await shown();
  await press(tab, "pause");
  await agent.standing("paused");
  expect(await agent.picture("html")).toBeUndefined();
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "Meanwhile"));
  await press(tab, "pause");
  await agent.until(`document.querySelector("p").textContent === "Meanwhile"`);
  await press(tab, "stop");
  await agent.standing("ended");
  expect(await agent.picture("html")).toBeUndefined();
  expect(await agent.page.textContent("#notice-text")).toContain("The visitor ended it");
});

test("beside a modal dialog of the page the visitor can stop all the same", async () => {
  const { tab, agent } = await shown("one", `<dialog><p id="asks">Really?</p><button>Yes</button></dialog>`);
  await tab.evaluate(() => document.querySelector("dialog")!.showModal());
  await agent.until(`document.querySelector("dialog").matches(":modal")`);
  await press(tab, "stop");
  await agent.standing("ended");
});

test("the visitor's mouse and his focus are shown, and the agent keeps his own", async () => {
  const { tab, agent } = await shown("one", `<input id="field">`);
  await agent.page.focus("#fit");
  await tab.mouse.move(200, 150);
  await tab.mouse.move(240, 170);
  await eventually(
    () => agent.page.evaluate(() => document.querySelector<HTMLElement>(".picture.shown .replayer-mouse")!.style.cssText),
    (style) => style.includes("left: 240px") && style.includes("top: 170px"),
  );
  await tab.focus("#field");
  await agent.until(`document.querySelector("[data-vestibule-focus]")?.id === "field"`);
  expect(await agent.page.evaluate(() => document.activeElement?.id)).toBe("fit");
});

test("whoever declines is not seen, and whoever presses Escape declines", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", page("one"));
  const agent = await showing.watch();
  await agent.standing("asking");
  await eventually(() => tab.evaluate(() => Boolean((window as any).sessionRoot?.querySelector("dialog[open]"))), (open) => open);
  await tab.keyboard.press("Escape");
  await agent.page.waitForFunction(() => ["declined", "ended"].includes(document.body.dataset.standing ?? ""));
  expect(await agent.picture("html")).toBeUndefined();
});

test("an agent's cursor, spotlight and strokes are seen by the visitor, and take no clicks of his", async () => {
  const { showing, tab, agent } = await shown("one", `<button onclick="note('visitor', 'clicked')" style="position:fixed;left:100px;top:100px;width:200px;height:80px">Press</button>`);
  const surface = (await agent.page.locator("#surface").boundingBox())!;
  const scale = await agent.page.evaluate(() => Number(document.querySelector<HTMLElement>("#frame")!.style.getPropertyValue("--scale")));
  const to = (x: number, y: number) => agent.page.mouse.move(surface.x + x * scale, surface.y + y * scale);
  const part = (name: string) =>
    tab.evaluate((wanted) => {
      const box = (window as any).sessionRoot.querySelector(`[part~="${wanted}"]`)?.getBoundingClientRect();
      return box ? { x: Math.round(box.x), y: Math.round(box.y) } : undefined;
    }, name);
  await to(150, 120);
  await to(160, 130);
  await eventually(() => part("cursor"), (at) => at !== undefined && Math.abs(at.x - 160) < 3 && Math.abs(at.y - 130) < 3);
  await tab.mouse.click(160, 130);
  await showing.visitor.journal.next("clicked");
  await agent.page.check("input[value=spotlight]", { force: true });
  await to(200, 150);
  await eventually(() => part("spotlight"), (at) => at !== undefined);
  await agent.page.check("input[value=draw]", { force: true });
  await to(50, 50);
  await agent.page.mouse.down();
  await to(90, 90);
  await to(120, 60);
  await agent.page.mouse.up();
  await eventually(() => part("stroke"), (at) => at !== undefined);
});

test("a link allows what it was made for", async () => {
  const { showing, tab } = await shown();
  const limited = await showing.watch(await showing.link({ permissions: { point: true, draw: false, control: false } }));
  await limited.sees("#one");
  expect(await limited.page.isDisabled("input[value=draw]")).toBe(true);
  expect(await limited.page.isDisabled("input[value=spotlight]")).toBe(false);
  const surface = (await limited.page.locator("#surface").boundingBox())!;
  await limited.page.mouse.move(surface.x + 50, surface.y + 50);
  await limited.page.mouse.move(surface.x + 60, surface.y + 60);
  const cursor = () => tab.evaluate(() => Boolean((window as any).sessionRoot.querySelector('[part="cursor"]')));
  await eventually(cursor, (isThere) => isThere);
});

test("the tab that the visitor looks at is shown, and the others are named", async () => {
  const { showing, tab, agent } = await shown();
  const second = await showing.open("/two", page("two"));
  await setVisibility(tab, "hidden");
  await agent.sees("#two");
  const names = () => agent.page.locator("#pages li").allTextContents();
  await eventually(names, (all) => all.length === 2 && all.some((text) => text.includes("/one")) && all.some((text) => text.includes("/two")));
  await setVisibility(tab, "visible");
  await setVisibility(second, "hidden");
  await agent.sees("#one");
  await second.close();
  await eventually(names, (all) => all.length === 1);
});

test("a page from the back-forward cache comes in again", async () => {
  const { showing, tab, agent } = await shown("one", `<input id="kept">`);
  await tab.fill("#kept", "still here");
  showing.put("/two", page("two"));
  await tab.click("a");
  await agent.sees("#two");
  await travel(tab, -1);
  await agent.until(`document.querySelector("#kept")?.value === "still here"`);
});

test("a route change of a single page is followed", async () => {
  const { tab, agent } = await shown();
  await tab.evaluate(() => {
    history.pushState(null, "", "/orders/7?token=secret");
    document.title = "Order 7";
  });
  await eventually(() => agent.page.locator("#pages li").allTextContents(), ([text]) => text?.includes("Order 7") === true && text.includes("/orders/7"));
  expect(await agent.page.locator("#pages").innerHTML()).not.toContain("secret");
});

test("a restart of the server is got over, without asking again", { timeout: 60_000 }, async () => {
  const { tab, agent } = await shown();
  await stage.server.stop();
  await agent.standing("reconnecting");
  await stage.server.launch();
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "After the restart"));
  await agent.until(`document.querySelector("p")?.textContent === "After the restart"`, 20_000);
  await agent.standing("live");
});

test("in private mode only what is allowed is readable", async () => {
  const showing = new Showing(secretive);
  const tab = await showing.open("/private", { body: `<p id="p">Private words</p><p class="open">Open words</p><div data-vestibule-unmask>More <b data-vestibule-mask>but not this</b></div><input id="i" value="a value">` });
  const agent = await showing.watch();
  await press(tab, "accept");
  const frame = await agent.sees("#p");
  const texts = await frame.evaluate(() => [...document.querySelectorAll("p, div[data-vestibule-unmask], input")].map((element) => (element as HTMLInputElement).value ?? element.textContent));
  expect(texts).toEqual(["••••••• •••••", "Open words", "More ••• ••• ••••", "• •••••"]);
  expect(await agent.tap.text()).not.toMatch(/Private words|not this|a value/);
});

test("a made-up ticket opens nothing, and neither does another tab's seat", async () => {
  const { showing, agent } = await shown();
  const seat = await agent.page.evaluate(() => sessionStorage.getItem("vestibule.watch.ticket"));
  for (const ticket of ["made-up", seat]) {
    const thief = await showing.watch(`${stage.server.origin}/watch/#${ticket}`);
    await thief.standing("badlink");
    expect(await thief.picture("html")).toBeUndefined();
    expect(await thief.tap.text()).not.toContain("Words of one");
  }
});
