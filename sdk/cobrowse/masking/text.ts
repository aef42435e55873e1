/** What must not be read in a text, wherever the text stands. */

/** Stands for each character that was blotted out. */
export const BLOT = "•";

// ISO/IEC 7812-1 allows up to 19 digits; shorter numbers than 14 are in use nowhere any more.
const FEWEST = 14;
const MOST = 19;
// Digits with single separators between them, as the server's second line of masking sees them.
const RUN = /\d(?:[ .\u00a0-]?\d){13,}/g;
const TYPED_RUN = /\d(?:[ .\u00a0-]?\d){7,}/g;
// Nobody groups a card's number more finely.
const SMALLEST_GROUP = 3;

/** Every character but spaces is blotted out, so that lines break where they did. */
export function blot(text: string): string {
  return text.replace(/\S/gu, BLOT);
}

/** Blots out card-like numbers, and what `patterns` match. */
export function scrub(text: string, patterns: readonly RegExp[]): string {
  let scrubbed = text.length < FEWEST ? text : text.replace(RUN, blotCards);
  for (const pattern of patterns) scrubbed = scrubbed.replace(pattern, blot);
  return scrubbed;
}

/**
 * Like `scrub`, for the value of a field that somebody is filling in: a number that may become a card's is blotted out
 * from its eighth digit on, since the digits typed so far and the check digit's rule would give it away.
 */
export function scrubTyped(text: string, patterns: readonly RegExp[]): string {
  const typed = text.replace(TYPED_RUN, (run) => (/^[2-6]/.test(run) && digitsOf(run).length <= MOST ? blotDigits(run) : run));
  return scrub(typed, patterns);
}

const digitsOf = (run: string): string => run.replace(/\D/g, "");
const blotDigits = (run: string): string => run.replace(/\d/g, BLOT);

/** The whole run, or consecutive groups in it: an expiry date or a check code may stand beside the number. */
function blotCards(run: string): string {
  if (isCard(digitsOf(run))) return blotDigits(run);
  // Groups at even places, separators between them.
  const parts = run.split(/([ .\u00a0-])/);
  for (let first = 0; first < parts.length; first += 2) {
    const last = endOfCard(parts, first);
    if (last === undefined) continue;
    for (let at = first; at <= last; at += 2) parts[at] = blotDigits(parts[at] ?? "");
    first = last;
  }
  return parts.join("");
}

function endOfCard(parts: readonly string[], first: number): number | undefined {
  let digits = "";
  let found: number | undefined;
  for (let at = first; at < parts.length; at += 2) {
    const group = parts[at] ?? "";
    digits += group;
    if (group.length < SMALLEST_GROUP || digits.length > MOST) break;
    if (isCard(digits)) found = at;
  }
  return found;
}

/** 14 to 19 digits, the first of them 2 to 6, with the right check digit (ISO/IEC 7812-1, annex B). */
export function isCard(digits: string): boolean {
  if (digits.length < FEWEST || digits.length > MOST || !/^[2-6]\d*$/.test(digits)) return false;
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number(digits[digits.length - 1 - place]);
    sum += place % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
  }
  return sum % 10 === 0;
}
