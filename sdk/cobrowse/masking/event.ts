/**
 * The last pass over what the recorder says, before it leaves the page. It knows every kind of event that may pass and
 * every field of it; what it does not know stays here. Nothing depends on the recorder's own masking.
 */

import type { AttributeValue, Described, Disguise } from "./attributes";
import { css, isUnshown, maskedAttributes } from "./attributes";
import { cutAddress } from "./addresses";
import { isSecretField, type Treatment } from "./secrecy";
import { blot, scrub, scrubTyped } from "./text";
import type { MaskedEvent, RecordedEvent, RecordedNode, StyleRule, TextContext } from "./events";
import { EventKind, NodeKind, Source } from "./events";

/** The live page, as far as it decides. `undefined`: it has no such node any more. */
export interface Scene extends Disguise {
  /** The element with this number, or that the text with this number is in. */
  element(id: number): Described | undefined;
}

/** The event as it may leave the page; nothing where it may not. Changes no event. */
export function masked(event: RecordedEvent, scene: Scene): MaskedEvent | undefined {
  const { type, timestamp, data } = event;
  switch (type) {
    case EventKind.Meta:
      return { type, timestamp, data: { href: scrub(cutAddress(data.href), scene.patterns), ...only(data, "width", "height", "scheme") } };
    case EventKind.FullSnapshot: {
      const node = maskedNode(data.node, scene, "open", undefined);
      return node && { type, timestamp, data: { node, initialOffset: data.initialOffset } };
    }
    case EventKind.Incremental: {
      const increment = maskedIncrement(data, scene);
      return increment && { type, timestamp, data: { source: data.source, ...increment } };
    }
    default:
      return undefined;
  }
}

type Fields = Record<string, any>;

function maskedIncrement(data: Fields, scene: Scene): Fields | undefined {
  switch (data.source) {
    case Source.Mutation:
      return maskedMutation(data, scene);
    case Source.MouseMove:
    case Source.TouchMove:
    case Source.Drag:
      return { positions: data.positions.map((at: Fields) => only(at, "x", "y", "id", "timeOffset")) };
    case Source.MouseInteraction:
      return only(data, "type", "id", "x", "y", "pointerType");
    case Source.Scroll:
      return only(data, "id", "x", "y");
    case Source.ViewportResize:
      return only(data, "width", "height");
    case Source.Input:
      return maskedInput(data, scene);
    case Source.MediaInteraction:
      return only(data, "id", "type", "currentTime", "volume", "muted", "loop", "playbackRate");
    case Source.Selection:
      return { ranges: data.ranges.map((range: Fields) => only(range, "start", "startOffset", "end", "endOffset")) };
    case Source.StyleSheetRule:
      return {
        ...only(data, "id", "styleId", "removes"),
        ...(data.adds && { adds: rules(data.adds, scene) }),
        ...(data.replace !== undefined && { replace: css(data.replace, scene) }),
        ...(data.replaceSync !== undefined && { replaceSync: css(data.replaceSync, scene) }),
      };
    case Source.StyleDeclaration:
      return {
        ...only(data, "id", "styleId", "index", "remove"),
        ...(data.set && { set: { ...only(data.set, "property", "priority"), value: text(data.set.value, (value) => css(value, scene)) } }),
      };
    case Source.AdoptedStyleSheet:
      return {
        ...only(data, "id", "styleIds"),
        ...(data.styles && { styles: data.styles.map((style: Fields) => ({ styleId: style.styleId, rules: rules(style.rules, scene) })) }),
      };
    case Source.CustomElement:
      return { define: only(data.define ?? {}, "name") };
    default:
      // Canvas, fonts as bytes, logs, plug-ins.
      return undefined;
  }
}

function maskedMutation(data: Fields, scene: Scene): Fields {
  const known = <Change extends { id: number }>(changes: Change[], mask: (change: Change, element: Described) => Fields): Fields[] =>
    changes.flatMap((change) => {
      const element = scene.element(change.id);
      return element && element.treatment !== "blocked" ? [mask(change, element)] : [];
    });
  return {
    removes: data.removes.map((removal: Fields) => only(removal, "parentId", "id", "isShadow")),
    adds: data.adds.flatMap((addition: Fields) => {
      const parent = scene.element(addition.parentId);
      const node = parent?.treatment === "blocked" ? undefined : maskedNode(addition.node, scene, parent?.treatment ?? "open", parent?.tag);
      return node ? [{ ...only(addition, "parentId", "nextId", "previousId"), node }] : [];
    }),
    texts: known(data.texts, ({ id, value }: { id: number; value: string | null }, element) => ({
      id,
      value: text(value, (whole) => maskedText(whole, element, scene)),
    })),
    attributes: known(data.attributes, ({ id, attributes }: { id: number; attributes: Fields }, element) => ({
      id,
      attributes: maskedChanges(attributes, element, scene),
    })),
    ...(data.isAttachIframe && { isAttachIframe: true }),
  };
}

/** A change of `style` may come as its declarations: a value, a value and its priority, or `false` for one that is gone. */
function maskedChanges(attributes: Fields, element: Described, scene: Scene): Fields {
  const { style, ...others } = attributes;
  const told = maskedAttributes(others, element, scene) as Fields;
  if (typeof style === "string" || style === null) Object.assign(told, maskedAttributes({ style }, element, scene));
  else if (style) {
    const declaration = (value: unknown): unknown =>
      Array.isArray(value) ? [css(String(value[0]), scene), value[1]] : value === false ? false : css(String(value), scene);
    told.style = Object.fromEntries(Object.entries(style as Fields).map(([name, value]) => [name, declaration(value)]));
  }
  return told;
}

function maskedInput({ id, text: value, isChecked }: Fields, scene: Scene): Fields | undefined {
  const element = scene.element(id);
  if (!element || element.treatment === "blocked") return undefined;
  if (element.treatment === "masked") return { id, text: blot(value), isChecked: false };
  if (isUnshown(element)) return undefined;
  const isTyped = element.tag === "input" || element.tag === "textarea";
  return { id, text: isTyped ? scrubTyped(value, scene.patterns) : scrub(value, scene.patterns), isChecked };
}

/** `parent` is the tag of the element around the node. What the live page has no more is judged by what was recorded of it. */
function maskedNode(node: RecordedNode, scene: Scene, above: Treatment, parent: string | undefined): RecordedNode | undefined {
  const common: { id: number } = { id: node.id, ...only(node, "rootId", "isShadow", "isShadowHost") };
  switch (node.type) {
    case NodeKind.Document:
      return { ...common, type: node.type, ...only(node, "compatMode"), childNodes: children(node, scene, above, undefined) };
    case NodeKind.DocumentType:
      return { ...common, type: node.type, ...only(node, "name", "publicId", "systemId") };
    case NodeKind.Element: {
      const element = stricter(node, scene.element(node.id), above);
      const isBlocked = element.treatment === "blocked";
      return {
        ...common,
        type: node.type,
        ...only(node, "tagName", "isSVG", "isCustom"),
        attributes: maskedAttributes(node.attributes as Record<string, AttributeValue>, element, scene),
        childNodes: isBlocked ? [] : children(node, scene, element.treatment, element.tag),
      };
    }
    case NodeKind.Text: {
      const element = scene.element(node.id);
      const context: TextContext = { tag: parent ?? "", treatment: element?.treatment ?? above };
      return { ...common, type: node.type, textContent: maskedText(node.textContent ?? "", context, scene) };
    }
    default:
      // Comments and character data keep their place, which others are counted by.
      return { ...common, type: node.type, textContent: "" };
  }
}

function children(node: RecordedNode, scene: Scene, treatment: Treatment, tag: string | undefined): RecordedNode[] {
  return (node.childNodes ?? []).flatMap((child) => maskedNode(child, scene, treatment, tag) ?? []);
}

/** The live element's treatment, or a stricter one where what was recorded asks for it. */
function stricter(node: RecordedNode, live: Described | undefined, above: Treatment): Described {
  const tag = node.tagName ?? "";
  const attributes = (node.attributes ?? {}) as Record<string, AttributeValue>;
  const attribute = (name: string): string | null => {
    const value = attributes[name];
    return value === undefined || value === null ? null : String(value);
  };
  const looksSecret = isSecretField(tag, attribute) || attribute("data-vestibule-mask") !== null;
  const treatment = live?.treatment ?? above;
  return {
    tag,
    isSvg: node.isSVG === true,
    treatment: treatment === "open" && looksSecret ? "masked" : treatment,
    attribute: (name) => attribute(name) ?? live?.attribute(name),
    chosen: live?.chosen,
    written: live?.written,
  };
}

function maskedText(whole: string, { tag, treatment }: TextContext, scene: Scene): string {
  if (tag === "style") return css(whole, scene);
  if (tag === "script" || tag === "noscript") return "";
  if (treatment !== "open") return blot(whole);
  return tag === "textarea" ? scrubTyped(whole, scene.patterns) : scrub(whole, scene.patterns);
}

function rules(added: StyleRule[], scene: Scene): StyleRule[] {
  return added.map(({ rule, index }) => ({ rule: css(rule, scene), ...(index !== undefined && { index }) }));
}

function text(value: string | null, mask: (value: string) => string): string | null {
  return typeof value === "string" ? mask(value) : null;
}

function only(fields: Fields, ...names: string[]): Fields {
  const kept: Fields = {};
  for (const name of names) if (fields[name] !== undefined) kept[name] = fields[name];
  return kept;
}
