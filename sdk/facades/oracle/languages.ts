/** Languages as pages name them: Windows' numbers (LCID) or culture names. */

/** Number by culture name, in lower case. A name without a region stands for all regions that are not listed. */
const lcids =
  "bg1026 zh-tw1028 zh-hk1028 cs1029 da1030 de1031 el1032 en1033 fi1035 fr1036 hu1038 it1040 ja1041 ko1042 nl1043 nb1044 no1044 " +
  "pl1045 pt1046 ro1048 ru1049 hr1050 sk1051 sv1053 th1054 tr1055 uk1058 sl1060 et1061 lv1062 lt1063 zh2052 en-gb2057 " +
  "sr-latn2074 es3082 fr-ca3084 sr3098";

const numberByName = new Map(lcids.split(" ").map((entry) => [entry.slice(0, -4), Number(entry.slice(-4))]));

export const DEFAULT_LANGUAGE = 1033;

/** The number of a language: of one that is known by number or name, else of its name without the region, else English. */
export function languageOf(given: unknown): number {
  const name = (typeof given === "string" || typeof given === "number" ? String(given) : "").trim().toLowerCase().replace(/_/g, "-");
  if ([...numberByName.values()].includes(Number(name))) return Number(name);
  const parts = name.split("-");
  for (; parts.length; parts.pop()) {
    const found = numberByName.get(parts.join("-"));
    if (found) return found;
  }
  return DEFAULT_LANGUAGE;
}

/** The culture name of a number, `en` for one that is not known. */
export function nameOf(lcid: number): string {
  return [...numberByName].find(([, known]) => known === lcid)?.[0] ?? "en";
}
