/** What may be told of an element's attributes. */

import { cutAddress, replaceAddress, replaceInCss, replaceSrcset, type AssetNamer } from "./addresses";
import type { Treatment } from "./secrecy";
import { blot, scrub, scrubTyped } from "./text";

export type AttributeValue = string | number | boolean | null;

/** An element as far as its attributes need it. */
export interface Described {
  readonly tag: string;
  readonly treatment: Treatment;
  readonly isSvg?: boolean;
  /** Present value of an attribute that is not among those that are told. */
  attribute(name: string): string | null | undefined;
  /** Address of the picture that the browser chose, for `img` and the `source` of a picture. */
  readonly chosen?: string | undefined;
  /** What a style sheet in the page was written as. */
  readonly written?: string | undefined;
}

export interface Disguise {
  readonly patterns: readonly RegExp[];
  /** Address that the page's relative addresses begin at. */
  readonly base: string;
  readonly nameAsset: AssetNamer;
  /** What is told of a link's address; without query and fragment by default. */
  readonly link?: (address: string) => string;
}

/** Say how an element looks and nothing about anybody. All others are blotted out in a masked element. */
const STRUCTURAL = new Set(
  (
    "class id style type rel dir lang width height role hidden disabled readonly required multiple size cols rows wrap colspan " +
    "rowspan span tabindex for open start reversed media align valign bgcolor border cellpadding cellspacing color face loading " +
    "decoding sizes slot part contenteditable inert popover max min step shape nowrap noshade clear hspace vspace scope xmlns"
  ).split(" "),
);
/** Words of state, which style sheets ask for; they name nobody. */
const STATE =
  /^(?:|true|false|mixed|open|opened|closed|active|inactive|on|off|yes|no|dark|light|auto|none|visible|hidden|expanded|collapsed|checked|unchecked|selected|disabled|enabled|loading|loaded|ready|idle|page|step|horizontal|vertical|top|right|bottom|left|start|end|center|\d{1,2})$/;
/** Text, for fields that one fills in and others that show their value. */
const TYPED = new Set(["input", "textarea"]);
const CHOSEN = new Set(["checked", "selected"]);
/** Shapes: numbers that the rules for cards, here and on the server, must not take for groups of digits. */
const GEOMETRY = new Set(["d", "points", "viewbox", "transform", "stroke-dasharray", "gradienttransform", "patterntransform"]);
const NUMBER = /[+-]?(?:\d*\.\d+|\d+\.?)(?:e[+-]?\d+)?/gi;
/** Code, references into the page's server, and what acts: neither shown nor needed. */
const DROPPED =
  /^(?:on.*|srcdoc|nonce|integrity|crossorigin|referrerpolicy|ping|manifest|cite|longdesc|usemap|codebase|archive|classid|data|download|http-equiv|charset|rr_dataurl|rr_src|autofocus|autoplay|itemid|itemprop|itemtype)$/;
/** Marks the element in which all is that the visitor sees of a session. */
export const OWN = "data-vestibule-session";
/** A property without a value; only a variable may have none. */
const LOSS = /[{;]\s*(?!--)[a-z-]+:\s*[;}]/;
/** A page keeps whole records in such attributes, and no style sheet asks for them. */
const LONGEST_DATA = 64;

/** The attributes that may leave the page. One with the value `null` was taken away, and is told as that. */
export function maskedAttributes(
  attributes: Readonly<Record<string, AttributeValue>>,
  element: Described,
  disguise: Disguise,
): Record<string, AttributeValue> {
  // Our own dialog and bar are nothing that agents see.
  if (element.attribute(OWN) != null) return { style: "display: none !important" };
  const told: Record<string, AttributeValue> = {};
  attributes = withoutLoss(attributes, element);
  for (const name of Object.keys(attributes)) {
    const value = attributes[name] ?? null;
    const masked = maskedAttribute(name.toLowerCase(), value, element, disguise);
    if (masked !== undefined) told[name] = masked;
  }
  return told;
}

/**
 * A browser cannot say a shorthand with a variable in it once a longhand follows: it says longhands without values. Such
 * a sheet is told as it was written, or goes as a file.
 */
function withoutLoss(attributes: Readonly<Record<string, AttributeValue>>, element: Described): Readonly<Record<string, AttributeValue>> {
  const { _cssText: css, ...others } = attributes;
  if (typeof css !== "string" || !LOSS.test(css)) return attributes;
  const href = element.tag === "link" ? element.attribute("href") : null;
  if (href) return { ...others, rel: "stylesheet", href };
  return element.written ? { ...others, _cssText: element.written } : attributes;
}

function maskedAttribute(name: string, value: AttributeValue, element: Described, disguise: Disguise): AttributeValue | undefined {
  const { tag, treatment } = element;
  if (treatment === "blocked") return /^(?:class|style|rr_width|rr_height)$/.test(name) ? shape(name, value, disguise) : undefined;
  if (DROPPED.test(name) || (tag === "meta" && name === "content" && !isLayout(element))) return undefined;
  if (value === null || typeof value === "number") return value;
  if (CHOSEN.has(name)) return treatment === "masked" ? undefined : true;
  if (typeof value === "boolean") return value;
  if (name === "_csstext") return css(value, disguise);
  if (name.startsWith("rr_")) return scrub(value, disguise.patterns);
  const address = maskedAddress(name, value, element, disguise);
  if (address !== undefined) return address === "" ? undefined : scrub(address, disguise.patterns);
  if (element.isSvg && GEOMETRY.has(name)) return geometry(value, disguise);
  if (treatment === "masked") return maskedText(name, value, element, disguise);
  if (name === "style") return css(value, disguise);
  if (name === "value" && isUnshown(element)) return "";
  if (name === "value" && TYPED.has(tag)) return scrubTyped(value, disguise.patterns);
  if (name.startsWith("data-") && value.length > LONGEST_DATA) return blot(value);
  return scrub(value, disguise.patterns);
}

function maskedText(name: string, value: string, element: Described, disguise: Disguise): string {
  const isState = (name.startsWith("data-") || name.startsWith("aria-")) && STATE.test(value);
  const isShape = element.isSvg && !/^(?:data-|aria-|title|desc)/.test(name);
  if (STRUCTURAL.has(name) || isState || isShape) return String(shape(name, value, disguise));
  return blot(value);
}

function shape(name: string, value: AttributeValue, disguise: Disguise): AttributeValue {
  if (typeof value !== "string") return value;
  return name === "style" ? css(value, disguise) : scrub(value, disguise.patterns);
}

/** Addresses in the attribute, replaced or cut; empty where nothing may be told; `undefined` for other attributes. */
function maskedAddress(name: string, value: string, element: Described, disguise: Disguise): string | undefined {
  const { tag } = element;
  const asset = (): string => replaceAddress(value, disguise.base, disguise.nameAsset);
  switch (name) {
    case "src":
      return tag === "img" || tag === "input" ? asset() : "";
    case "srcset":
      return replaceSrcset(value, element.chosen, disguise.base, disguise.nameAsset);
    case "imagesrcset":
    case "imagesizes":
      return "";
    case "poster":
    case "background":
      return asset();
    case "href":
    case "xlink:href":
      if (element.isSvg && tag !== "a") return asset();
      if (tag === "link") return isStyleSheet(element) ? asset() : "";
      return tag === "a" || tag === "area" ? (disguise.link ?? cutAddress)(value) || "#" : "";
    case "action":
    case "formaction":
      return (disguise.link ?? cutAddress)(value);
    default:
      return undefined;
  }
}

/** Fields whose value nobody reads on the page: hidden ones, and names of files, of which another browser may set none. */
export function isUnshown(element: Described): boolean {
  return element.tag === "input" && /^(?:hidden|file)$/i.test(element.attribute("type") ?? "");
}

function isStyleSheet(element: Described): boolean {
  // Of a sheet whose rules were read, `rel` is on the element alone.
  return /(?:^|\s)stylesheet(?:\s|$)/i.test(element.attribute("rel") ?? "");
}

/** Of `meta` only what the layout asks for. */
function isLayout(element: Described): boolean {
  return /^(?:viewport|color-scheme|theme-color)$/i.test(element.attribute("name") ?? "");
}

/** Between two spaces numbers mean the same, and are no groups of one number any more. */
function geometry(value: string, disguise: Disguise): string {
  return scrub(value.replace(NUMBER, " $& "), disguise.patterns);
}

/** Style sheets, rules and declarations. */
export function css(text: string, { base, nameAsset, patterns }: Disguise): string {
  return scrub(replaceInCss(text, base, nameAsset), patterns);
}
