/** Placeholders in the page's own words: `{%agentName%|fallback}`, `{%currentDomain%}`. */

export function filled(template: string, agentName: string, domain: string): string {
  const known: Readonly<Record<string, string>> = { agentName, currentDomain: domain };
  return template.replace(/\{%(\w+)%(?:\|([^}]*))?\}/g, (_, name: string, fallback = "") => known[name] || fallback);
}
