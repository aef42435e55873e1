import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Described } from "./attributes";
import { masked, type Scene } from "./event";
import { EventKind, NodeKind, Source, type RecordedNode } from "./events";
import type { Treatment } from "./secrecy";

const SECRET = "hush";
const CARD = "4111 1111 1111 1111";

interface Known {
  readonly treatment: Treatment;
  readonly tag: string;
  readonly attributes?: Record<string, string>;
}

/** A page of which these nodes are known; `rest` is how the others are treated, `undefined` for nodes that are gone. */
function page(known: Record<number, Known>, rest?: Treatment): Scene {
  return {
    patterns: [/hush/giu],
    base: "https://shop.test/",
    nameAsset: () => "vestibule-asset:1",
    element(id): Described | undefined {
      const found = known[id] ?? (rest && { treatment: rest, tag: "div" });
      return found && { tag: found.tag, treatment: found.treatment, attribute: (name) => found.attributes?.[name] };
    },
  };
}

const increment = (data: object) => ({ type: EventKind.Incremental, timestamp: 5, data });
const textNode = (id: number, textContent: string): RecordedNode => ({ type: NodeKind.Text, id, textContent });
const element = (id: number, tagName: string, attributes = {}, childNodes: RecordedNode[] = []): RecordedNode => ({
  type: NodeKind.Element,
  id,
  tagName,
  attributes,
  childNodes,
});
const snapshot = (node: RecordedNode) => ({
  type: EventKind.FullSnapshot,
  timestamp: 5,
  data: { node: { type: NodeKind.Document, id: 1, childNodes: [node] }, initialOffset: { top: 0, left: 0 } },
});
const shown = (event: object, scene: Scene): any => masked(event as never, scene)?.data;

describe("what a whole picture tells of an element", () => {
  const first = (attributes: object, { tag = "div", treatment = "open" as Treatment } = {}): any =>
    shown(snapshot(element(2, tag, attributes)), page({ 2: { treatment, tag } })).node.childNodes[0].attributes;

  test.each(["placeholder", "title", "alt", "aria-label", "aria-description", "data-note", "label", "summary", "unheard-of"])("%s is scrubbed, and blotted out where masked", (name) => {
    expect(first({ [name]: `say ${SECRET} ${CARD}` })).toEqual({ [name]: "say •••• •••• •••• •••• ••••" });
    expect(first({ [name]: "private words" }, { treatment: "masked" })).toEqual({ [name]: "••••••• •••••" });
  });

  test("code, and what refers into the page's server, is left out", () => {
    const attributes = { onclick: "a()", srcdoc: SECRET, nonce: "n", integrity: "i", "http-equiv": "refresh", autofocus: true, class: "a" };
    expect(first(attributes)).toEqual({ class: "a" });
  });

  test("long data attributes are records, not marks", () => {
    expect(first({ "data-page": JSON.stringify({ name: "Ada", rest: "x".repeat(80) }) })["data-page"]).not.toMatch(/[A-Za-z]/);
    expect(first({ "data-state": "open" }, { treatment: "masked" })).toEqual({ "data-state": "open" });
  });

  test("links lose what follows the path, frames and media their address", () => {
    expect(first({ href: "https://shop.test/a?hush#b" }, { tag: "a" })).toEqual({ href: "https://shop.test/a" });
    expect(first({ action: "/pay?hush" }, { tag: "form" })).toEqual({ action: "/pay" });
    expect(first({ src: "/f?hush" }, { tag: "iframe" })).toEqual({});
    expect(first({ src: "/v.mp4?hush", poster: "/p.png" }, { tag: "video" })).toEqual({ poster: "vestibule-asset:1" });
    expect(first({ rel: "stylesheet", href: "/a.css?hush" }, { tag: "link" })).toEqual({ rel: "stylesheet", href: "vestibule-asset:1" });
    expect(first({ rel: "preload", href: "/a.css?hush" }, { tag: "link" })).toEqual({ rel: "preload" });
    expect(first({ style: "background:url(/x?hush)" })).toEqual({ style: 'background:url("vestibule-asset:1")' });
  });

  test("a secret field is masked by what it says itself, even if the page is not asked", () => {
    for (const attributes of [{ type: "password" }, { autocomplete: "billing cc-number" }, { autocomplete: "one-time-code" }, { name: "newPassword" }, { "data-rr-is-password": "true" }]) {
      expect(first({ ...attributes, value: "letmein" }, { tag: "input" }).value).toBe("•••••••");
    }
    for (const type of ["hidden", "file"]) expect(first({ type, value: "token" }, { tag: "input" }).value).toBe("");
    expect(first({ value: "Ada" }, { tag: "input" }).value).toBe("Ada");
  });

  test("shapes keep their numbers, which stand too far apart to be groups of a card's", () => {
    const paths = fc.array(fc.tuple(fc.constantFrom("M", "l", "c", " ", ",", "-", " -", "."), fc.nat(9_999)), { minLength: 5, maxLength: 40 });
    fc.assert(
      fc.property(paths, (parts) => {
        const d = `M0${parts.map(([before, number]) => before + number).join("")}`;
        const event = snapshot({ ...element(2, "path", { d }), isSVG: true });
        const told = shown(event, page({ 2: { treatment: "open", tag: "path" } })).node.childNodes[0].attributes.d as string;
        expect(told.replace(/ /g, "")).toBe(d.replace(/ /g, ""));
        expect(told).not.toMatch(/\d[ -]\d|\.\d+\./);
      }),
    );
  });

  test("our own dialog and bar take no room", () => {
    const attributes = { "data-vestibule-session": "", rr_width: "10px", rr_height: "5px" };
    expect(first(attributes, { treatment: "blocked" })).toEqual({ style: "display: none !important" });
  });

  test("a blocked element keeps its box and nothing else", () => {
    const node = element(2, "div", { class: "box", title: "t", rr_width: "10px", rr_height: "5px" }, [textNode(3, "inside")]);
    const told = shown(snapshot(node), page({ 2: { treatment: "blocked", tag: "div" } })).node.childNodes[0];
    expect(told).toMatchObject({ attributes: { class: "box", rr_width: "10px", rr_height: "5px" }, childNodes: [] });
    expect(told.attributes.title).toBeUndefined();
  });
});

describe("changes", () => {
  test("of nodes that the page has no more tell nothing", () => {
    const mutation = { source: Source.Mutation, removes: [], adds: [], texts: [{ id: 9, value: SECRET }], attributes: [{ id: 9, attributes: { title: SECRET } }] };
    expect(shown(increment(mutation), page({}))).toMatchObject({ texts: [], attributes: [] });
    expect(shown(increment({ source: Source.Input, id: 9, text: SECRET, isChecked: false }), page({}))).toBeUndefined();
  });

  test("of a masked field tell neither value nor choice", () => {
    const scene = page({ 4: { treatment: "masked", tag: "input" } });
    expect(shown(increment({ source: Source.Input, id: 4, text: "letmein", isChecked: true, userTriggered: true }), scene)).toEqual({
      source: Source.Input,
      id: 4,
      text: "•••••••",
      isChecked: false,
    });
  });

  test("of style declarations are told without addresses", () => {
    const mutation = { source: Source.Mutation, removes: [], adds: [], texts: [], attributes: [{ id: 4, attributes: { style: { background: "url(/hush)", color: ["red", "important"], top: false } } }] };
    expect(shown(increment(mutation), page({ 4: { treatment: "open", tag: "div" } })).attributes[0].attributes.style).toEqual({
      background: 'url("vestibule-asset:1")',
      color: ["red", "important"],
      top: false,
    });
  });

  test("below a blocked element are not told", () => {
    const scene = page({ 4: { treatment: "blocked", tag: "div" } });
    const mutation = { source: Source.Mutation, removes: [], adds: [{ parentId: 4, nextId: null, node: textNode(5, "inside") }], texts: [], attributes: [] };
    expect(shown(increment(mutation), scene).adds).toEqual([]);
  });
});

test.each([
  ["a canvas", increment({ source: 9, id: 1, commands: [{ args: [SECRET] }] })],
  ["a font's bytes", increment({ source: 10, family: "f", fontSource: SECRET })],
  ["a log", increment({ source: 11, payload: [SECRET] })],
  ["what a later version invents", increment({ source: 99, secret: SECRET })],
  ["a plug-in", { type: 6, timestamp: 1, data: { payload: SECRET } }],
  ["a custom event", { type: 5, timestamp: 1, data: { payload: SECRET } }],
])("%s stays here", (_, event) => expect(masked(event, page({}, "open"))).toBeUndefined());

test("fields that nobody knows stay here", () => {
  const event = increment({ source: Source.Scroll, id: 1, x: 2, y: 3, extra: SECRET });
  expect(shown(event, page({}, "open"))).toEqual({ source: Source.Scroll, id: 1, x: 2, y: 3 });
});

/** Any tree, with the secret and a card's number anywhere that text may be. */
const secretText = fc.tuple(fc.string(), fc.constantFrom(SECRET, CARD, "HUSH", CARD.replace(/ /g, "-")), fc.string()).map((parts) => parts.join(" | "));
const anyAttributes = fc.dictionary(
  fc.oneof(
    fc.constantFrom("value", "title", "alt", "placeholder", "aria-label", "data-x", "href", "src", "srcset", "style", "class", "id", "_cssText", "name", "content", "checked"),
    fc.stringMatching(/^[a-z-]{1,12}$/),
  ),
  secretText,
);
const { node: anyNode } = fc.letrec<{ node: RecordedNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.record({ type: fc.constantFrom(NodeKind.Text, NodeKind.CharacterData, NodeKind.Comment), id: fc.nat(50), textContent: secretText }),
    fc.record({
      type: fc.constant(NodeKind.Element),
      id: fc.nat(50),
      tagName: fc.constantFrom("div", "p", "a", "img", "input", "textarea", "style", "script", "title", "option", "svg", "link", "meta", "iframe"),
      attributes: anyAttributes,
      childNodes: fc.array(tie("node"), { maxLength: 4 }),
    }),
  ),
}));

test("no pattern and no card's number gets through, wherever it stands in whatever event", () => {
  const anyScene = fc.constantFrom<Treatment | undefined>("open", "masked", "blocked", undefined).map((rest) => page({}, rest));
  const anyEvent = fc.oneof(
    anyNode.map(snapshot),
    fc.record({ nodes: fc.array(anyNode, { maxLength: 3 }), text: secretText, attributes: anyAttributes }).map(({ nodes, text, attributes }) =>
      increment({
        source: Source.Mutation,
        removes: [],
        adds: nodes.map((node) => ({ parentId: 3, nextId: null, node })),
        texts: [{ id: 4, value: text }],
        attributes: [{ id: 5, attributes }],
      }),
    ),
    secretText.map((text) => increment({ source: Source.Input, id: 4, text, isChecked: false })),
    secretText.map((rule) => increment({ source: Source.StyleSheetRule, id: 4, adds: [{ rule, index: 0 }], replace: rule })),
    secretText.map((rule) => increment({ source: Source.AdoptedStyleSheet, id: 4, styleIds: [1], styles: [{ styleId: 1, rules: [{ rule, index: 0 }] }] })),
    secretText.map((value) => increment({ source: Source.StyleDeclaration, id: 4, index: [0], set: { property: "--x", value } })),
    secretText.map((href) => ({ type: EventKind.Meta, timestamp: 1, data: { href, width: 1, height: 1 } })),
  );
  fc.assert(
    fc.property(anyEvent, anyScene, (event, scene) => {
      const before = JSON.stringify(event);
      const told = JSON.stringify(masked(event as never, scene) ?? null);
      expect(told).not.toMatch(/hush/i);
      expect(told).not.toMatch(/4111[ -]1111/);
      expect(JSON.stringify(event)).toBe(before);
    }),
    { numRuns: 500 },
  );
});

test("in a masked page no word is readable", () => {
  const words = fc.constantFrom("readable", "words", "Ada Lovelace");
  const tree = fc.letrec<{ node: RecordedNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.record({ type: fc.constant(NodeKind.Text), id: fc.nat(50), textContent: words }),
      fc.record({
        type: fc.constant(NodeKind.Element),
        id: fc.nat(50),
        tagName: fc.constantFrom("div", "input", "textarea", "option", "title", "img"),
        attributes: fc.dictionary(fc.constantFrom("value", "title", "alt", "placeholder", "aria-label", "data-x", "label", "content"), words),
        childNodes: fc.array(tie("node"), { maxLength: 3 }),
      }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (node) => {
      expect(JSON.stringify(shown(snapshot(node), page({}, "masked")))).not.toMatch(/readable|words|Ada|Lovelace/);
    }),
  );
});
