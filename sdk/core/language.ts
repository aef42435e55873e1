/** Which language people read. */

const has = (texts: object, key: string): boolean => Object.prototype.hasOwnProperty.call(texts, key);

/** The first of `wanted` that is known by its main language, as `de` is of `de-AT`; nothing when none is. */
export function firstKnown(wanted: readonly (string | null | undefined)[], languages: object): string | undefined {
  const codes = wanted.map((language) => language?.toLowerCase().split(/[-_]/)[0] ?? "");
  return codes.find((code) => has(languages, code));
}

/** What a page says in place of a text: its own words go first, if they are text. */
export function ownText(own: object, key: string): string | undefined {
  const text = has(own, key) ? (own as Readonly<Record<string, unknown>>)[key] : undefined;
  return typeof text === "string" ? text : undefined;
}
