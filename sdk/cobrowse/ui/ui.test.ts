// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../core/testing";
import { Bar } from "./bar";
import { ask } from "./dialog";
import { Overlay, STROKE_FADES_MS, STROKE_STAYS_MS } from "./overlay";
import { openRoot, type UiRoot } from "./root";
import { languages, wordsIn } from "./texts";

let ui: UiRoot;

beforeEach(() => {
  ui = openRoot(window);
});
afterEach(() => ui.remove());

const part = (name: string): HTMLElement => {
  const found = ui.root.querySelector<HTMLElement>(`[part~="${name}"]`);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};
const question = { title: "Show?", text: "Somebody would like to see it.", accept: "Yes", decline: "No" };
/** A press by a person; scripts cannot make one. */
const press = (button: HTMLElement): void => {
  const event = new Event("click");
  Object.defineProperty(event, "isTrusted", { value: true });
  button.dispatchEvent(event);
};

describe("the shadow root", () => {
  test("is closed, and its host is left out of recordings", () => {
    const host = document.querySelector("[data-vestibule-session]")!;
    expect(host.shadowRoot).toBeNull();
    expect(host.hasAttribute("data-vestibule-block")).toBe(true);
    expect(ui.root.querySelectorAll("[style]")).toHaveLength(0);
  });

  test("comes back when the page throws it out", async () => {
    document.querySelector("[data-vestibule-session]")!.remove();
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(document.querySelector("[data-vestibule-session]")).not.toBeNull();
  });
});

describe("the dialog", () => {
  test("is a labelled modal one with the focus on declining", () => {
    ask(ui, question);
    const dialog = part("dialog") as HTMLDialogElement;
    expect(dialog.open).toBe(true);
    expect(ui.root.getElementById(dialog.getAttribute("aria-labelledby")!)?.textContent).toBe("Show?");
    expect(ui.root.getElementById(dialog.getAttribute("aria-describedby")!)?.textContent).toBe(question.text);
    expect(ui.root.activeElement).toBe(part("decline"));
  });

  test("a person's press agrees, a script's does not", async () => {
    const { answer } = ask(ui, question);
    part("accept").click();
    expect(ui.root.querySelector("dialog")).not.toBeNull();
    press(part("accept"));
    await expect(answer).resolves.toBe(true);
    expect(ui.root.querySelector("dialog")).toBeNull();
  });

  test.each(["cancel", "close"])("Escape (%s) declines", async (event) => {
    const { answer } = ask(ui, question);
    part("dialog").dispatchEvent(new Event(event));
    await expect(answer).resolves.toBe(false);
  });

  test("the button declines, and a question that is taken back is no answer", async () => {
    const first = ask(ui, question);
    part("decline").click();
    await expect(first.answer).resolves.toBe(false);
    const second = ask(ui, question);
    second.takeBack();
    await expect(second.answer).resolves.toBeUndefined();
  });

  test("what is typed in it does not reach the page's shortcuts", () => {
    ask(ui, question);
    let heard = 0;
    const hear = (): void => void (heard += 1);
    document.addEventListener("keydown", hear);
    part("accept").dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true, composed: true }));
    document.removeEventListener("keydown", hear);
    expect(heard).toBe(0);
  });
});

describe("the bar", () => {
  const made = () => {
    const calls: unknown[] = [];
    const bar = new Bar(ui, wordsIn(["en"]), { pause: (paused) => calls.push(paused), stop: () => calls.push("stop") });
    return { bar, calls };
  };

  test("says who sees the page, in a live region, and writes nothing twice", () => {
    const { bar } = made();
    const words = part("words");
    expect(words.getAttribute("aria-live")).toBe("polite");
    bar.show("on", ["Ann", ""]);
    expect(words.textContent).toBe("Ann and An agent see this page");
    const text = words.firstChild;
    bar.show("on", ["Ann", ""]);
    expect(words.firstChild).toBe(text);
    bar.show("on", ["Ann"]);
    expect(words.textContent).toBe("Ann sees this page");
  });

  test("pauses, goes on, stops", () => {
    const { bar, calls } = made();
    expect(part("pause").hidden).toBe(true);
    bar.show("on", ["Ann"]);
    part("pause").click();
    bar.show("paused", ["Ann"]);
    expect(part("pause").textContent).toBe("Continue");
    part("pause").click();
    part("stop").click();
    expect(calls).toEqual([true, false, "stop"]);
  });

  test("ends with words and without buttons", () => {
    const { bar } = made();
    bar.end();
    expect(part("words").textContent).toContain("ended");
    expect(part("bar").querySelectorAll("button")).toHaveLength(0);
  });
});

describe("texts", () => {
  test("all languages have all of them, with the same places for names", () => {
    const places = (text: string): string[] => text.match(/\{\w+\}/g) ?? [];
    for (const texts of Object.values(languages)) {
      expect(Object.keys(texts)).toEqual(Object.keys(languages.en!));
      for (const key of Object.keys(texts) as (keyof typeof texts)[]) {
        expect(texts[key]).toBeTruthy();
        expect([key, places(texts[key])]).toEqual([key, places(languages.en![key])]);
      }
    }
  });

  test.each([
    [["de-AT"], "Pause"],
    [[null, "fr"], "Suspendre"],
    [["xx", "nl"], "Pauzeren"],
    [[], "Pause"],
    [["constructor"], "Pause"],
  ])("%j", (wanted, expected) => expect(wordsIn(wanted)("bar.pause")).toBe(expected));

  test("a group's own go before all, and names are no patterns", () => {
    const words = wordsIn(["en"], { "bar.on": "{names} schaut zu" });
    expect(words("bar.on", ["$& {name}"])).toBe("$& {name} schaut zu");
    expect(words("bar.stop")).toBe("Stop");
  });
});

describe("the overlay", () => {
  const clock = new FakeClock();
  const made = (): Overlay => new Overlay(ui, clock);

  test("shows pointers where they are, until they go or are lost", async () => {
    const overlay = made();
    overlay.show({ type: "cursor", user: 2, name: "Ann", x: 10, y: 20.5 });
    expect(part("cursor").style.transform).toBe("translate(10px, 20.5px)");
    expect(part("name").textContent).toBe("Ann");
    overlay.show({ type: "cursor", user: 2 });
    expect(ui.root.querySelector('[part="cursor"]')).toBeNull();
    overlay.show({ type: "spotlight", user: 2, x: 1, y: 1 });
    await clock.pass(60_000);
    expect(ui.root.querySelector('[part="spotlight"]')).toBeNull();
    overlay.remove();
  });

  test("draws strokes on the page, which fade", async () => {
    const overlay = made();
    overlay.show({ type: "stroke", user: 2, stroke: 1, colour: "#e4572e", points: [[1, 2], [3, 4]], done: false });
    overlay.show({ type: "stroke", user: 2, stroke: 1, points: [[5, 6]], done: true });
    expect(part("stroke").getAttribute("points")).toBe("1,2 3,4 5,6");
    expect(part("stroke").getAttribute("stroke")).toBe("#e4572e");
    await clock.pass(STROKE_STAYS_MS);
    expect(part("stroke").getAttribute("part")).toContain("fading");
    await clock.pass(STROKE_FADES_MS);
    expect(ui.root.querySelector("polyline")).toBeNull();
    overlay.remove();
  });

  test("takes nothing from a hostile agent but numbers and colours, and has an end", () => {
    const overlay = made();
    overlay.show({ type: "cursor", user: 2, name: "<b>Ann</b>", x: 1, y: 1 });
    expect(part("name").innerHTML).not.toContain("<b>");
    overlay.show({ type: "stroke", user: 2, stroke: 1, colour: "url(//x)", points: [["x", 1] as never, [Infinity, 2], [1, 1]] });
    expect(part("stroke").getAttribute("stroke")).toMatch(/^#/);
    expect(part("stroke").getAttribute("points")).toBe("1,1");
    for (let stroke = 2; stroke < 200; stroke += 1) overlay.show({ type: "stroke", user: 2, stroke, points: [[1, 1]] });
    expect(ui.root.querySelectorAll("polyline").length).toBeLessThanOrEqual(64);
    overlay.remove();
  });
});
