/** Addresses in what is recorded: none leaves the page as it is. */

/** Gives an address the number under which agents get what is there; an empty text where they get nothing. */
export type AssetNamer = (address: string) => string;

/** Pictures and fonts that are in the address itself. */
const INLINE = /^data:(?:image|font|application\/(?:x-)?font)[\w.+-]*[/;,]?/i;
const FETCHED = /^(?:https?|blob):/i;
// A name in quotes, or without any: CSS Syntax 3, "consume a url token". What is written otherwise says nothing to agents.
const CSS_URL = /url\((?:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^"'()\s]*))\s*(\)))?/gi;
const CSS_IMAGE_SET = /image-set\((?:[^()]|\([^()]*\))*\)/gi;
const CSS_IMPORT = /(@import\s+)(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')/gi;

/** Without query and fragment, where secrets are; nothing for what is no place on the web. */
export function cutAddress(address: string): string {
  const cut = address.split(/[?#]/, 1)[0] ?? "";
  return /^(?:javascript|data|blob|file|mailto|tel|sms):/i.test(cut.trim()) ? "" : cut.replace(/\/\/[^/@]*@/, "//");
}

/** What stands in the place of the address of a picture, font or style sheet. */
export function replaceAddress(address: string, base: string, nameAsset: AssetNamer): string {
  const text = address.trim();
  if (INLINE.test(text) || text.startsWith("vestibule-asset:")) return text;
  if (!text || text.startsWith("#")) return text;
  try {
    const { href } = new URL(text, base);
    return FETCHED.test(href) ? nameAsset(href) : "";
  } catch {
    return "";
  }
}

/** A style sheet, rule or declaration with its addresses replaced. */
export function replaceInCss(css: string, base: string, nameAsset: AssetNamer): string {
  if (!/url\(|@import|image-set\(/i.test(css)) return css;
  const replaced = (address: string): string => replaceAddress(unescapeCss(address), base, nameAsset).replace(/["\\\n]/g, "\\$&");
  return css
    .replace(CSS_IMPORT, (_, rule: string, double?: string, single?: string) => `${rule}"${replaced(double ?? single ?? "")}"`)
    .replace(CSS_URL, (_, double?: string, single?: string, bare?: string, end?: string) =>
      end ? `url("${replaced(double ?? single ?? bare ?? "")}")` : "no-url(",
    )
    .replace(CSS_IMAGE_SET, (set) => set.replace(/(url\(|type\()?"((?:[^"\\]|\\.)*)"/gi, (whole, of: string | undefined, text: string) =>
      of ? whole : `"${replaced(text)}"`,
    ));
}

/** Of `srcset` only what the browser chose: the others would be fetched for nobody. */
export function replaceSrcset(srcset: string, chosen: string | undefined, base: string, nameAsset: AssetNamer): string {
  const candidates = srcset.trim().split(/,\s+/);
  for (const candidate of candidates) {
    const [address = "", descriptor] = candidate.trim().split(/\s+/);
    const isChosen = candidates.length === 1 || (chosen !== undefined && sameAddress(address, chosen, base));
    if (!isChosen) continue;
    const name = replaceAddress(address, base, nameAsset);
    return descriptor ? `${name} ${descriptor}` : name;
  }
  return "";
}

function sameAddress(address: string, other: string, base: string): boolean {
  try {
    return new URL(address, base).href === other;
  } catch {
    return false;
  }
}

function unescapeCss(text: string): string {
  return text.replace(/\\([0-9a-f]{1,6}\s?|[^])/gi, (_, escape: string) =>
    /^[0-9a-f]/i.test(escape) ? String.fromCodePoint(Math.min(parseInt(escape, 16), 0x10ffff)) : escape,
  );
}
