/**
 * Topics, and the filters that choose among them, by the rules of MQTT (version 5.0, section 4.7): levels between
 * slashes, `+` for exactly one, `#` at the end for the level before it and all below. The server goes by the same;
 * `tests/fixtures/topic-filters.json` holds both to it.
 */

const longest = 1_024;
const mostLevels = 32;

/** What is wrong with a filter: the rule that it breaks, or `undefined`. */
export function filterProblem(filter: string): string | undefined {
  const levels = filter.split("/");
  if (levels[0] === "$share") return "shared subscriptions ($share) are not offered";
  for (const [at, level] of levels.entries()) {
    if (level.includes("+") && level !== "+") return "+ must stand alone between slashes";
    if (level.includes("#") && (level !== "#" || at < levels.length - 1)) return "# must stand alone in the last level";
  }
  return commonProblem(filter);
}

/** What is wrong with a topic that is to be published to: the rule that it breaks, or `undefined`. */
export function topicProblem(topic: string): string | undefined {
  return /[+#]/.test(topic) ? "a topic must not contain + or #" : commonProblem(topic);
}

function commonProblem(text: string): string | undefined {
  if (text === "" || new TextEncoder().encode(text).length > longest) return `must have 1 to ${longest} bytes of UTF-8`;
  if (text.split("/").length > mostLevels) return `must have at most ${mostLevels} levels`;
  return text.includes("\0") ? "must not contain U+0000" : undefined;
}

/** Whether a valid filter chooses a valid topic. */
export function matches(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const levels = topic.split("/");
  const pattern = filter.split("/");
  for (const [at, level] of pattern.entries()) {
    if (level === "#") return true;
    if (at >= levels.length || (level !== "+" && level !== levels[at])) return false;
  }
  return pattern.length === levels.length;
}
