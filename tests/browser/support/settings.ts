/** Settings files for the server under test, and tokens signed with their key. */

import { createHmac, randomUUID } from "node:crypto";

type Value = string | number | boolean | readonly string[];
type Table = Readonly<Record<string, Value>>;

/** Sections of the settings file; see `vestibule.sample.toml`. */
export interface SettingsParts {
  readonly server?: Table;
  readonly auth?: Table;
  readonly limits?: Table;
  readonly presence?: Table;
  readonly facades?: Table;
  /** What the group says of other interfaces: `[groups.facades]`. */
  readonly groupFacades?: Table;
  readonly bayeux?: Table;
  /** Added to the one group that tests use. */
  readonly group?: Table;
  /** What the group says of its co-browse sessions. */
  readonly cobrowse?: Table;
  /** What the group says of its topics. */
  readonly topics?: Table;
  /** How all sessions go: `[cobrowse]`. */
  readonly sessions?: Table;
  readonly otherGroups?: readonly Table[];
}

export const GROUP = "12345";
export const SIGNING_KEY = "a signing key that only tests use, 32 or more";
export const API_KEY = "an-api-key-for-tests";
export const API_KEY_LIKE_A_LOGIN_KEY = "$1$an-api-key-all-the-same";
export const PARTNER_KEY = "a-partner-key-for-tests";

/** A settings file for a server whose pages come from `origin`. */
export function settingsFile(origin: string, bind: string, parts: SettingsParts): string {
  const group: Table = {
    id: GROUP,
    visitor_origins: [origin],
    agent_origins: [origin],
    api_keys: [API_KEY, API_KEY_LIKE_A_LOGIN_KEY],
    partner_key: PARTNER_KEY,
    ...parts.group,
  };
  return [
    section("[server]", { bind, ...parts.server }),
    section("[auth]", { signing_key: SIGNING_KEY, ...parts.auth }),
    section("[[groups]]", group),
    ...(parts.cobrowse ? [section("[groups.cobrowse]", parts.cobrowse)] : []),
    ...(parts.groupFacades ? [section("[groups.facades]", parts.groupFacades)] : []),
    ...(parts.topics ? [section("[groups.topics]", parts.topics)] : []),
    ...(parts.otherGroups ?? []).map((table) => section("[[groups]]", table)),
    section("[limits]", parts.limits ?? {}),
    section("[presence]", parts.presence ?? {}),
    section("[cobrowse]", parts.sessions ?? {}),
    section("[facades]", parts.facades ?? {}),
    section("[bayeux]", parts.bayeux ?? {}),
    section("[storage]", { url: "sqlite:vestibule.db" }),
  ].join("\n");
}

function section(head: string, table: Table): string {
  // TOML's strings, numbers, booleans and lists of strings are JSON's.
  const lines = Object.entries(table).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return `${[head, ...lines].join("\n")}\n`;
}

export interface TokenWish {
  readonly seconds?: number;
  readonly group?: string;
  readonly scope?: string;
  readonly subject?: string;
  readonly name?: string;
  readonly key?: string;
  readonly topics?: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
}

/** A token as a customer's own server may make it: HS256 with the settings' key. */
export function mintToken(wish: TokenWish = {}): string {
  const { seconds = 3600, group = GROUP, scope = "read signal invoke session control", subject = "tester", name, key = SIGNING_KEY, topics } = wish;
  const iat = Math.floor(Date.now() / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const common = { iss: "vestibule", aud: "vestibule", jti: randomUUID() };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...common, sub: subject, ...(name && { name }), ...(topics && { topics }), group, scope, iat, exp: iat + seconds })}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}
