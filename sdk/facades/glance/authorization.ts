import { callHandler } from "./namespace";
import { address, callRest, reasonOf, RestFailure, type Reason } from "./rest";
import type { Settings } from "./settings";

export interface AuthorizeParams {
  /** Host of the server that gives tokens; the script's own by default. */
  readonly webserver?: string;
  /** `presence` by default. */
  readonly service?: string;
  readonly groupid?: string | number;
  /** One of the sets: `username` and `password`; `username` and `loginkey`; `partnerid`, `partneruserid` and `loginkey`. */
  readonly credentials: Record<string, string | number>;
  /** Life of the token in minutes, 1 to 120; 60 by default. */
  readonly duration?: number;
  readonly onsuccess?: (answer: AuthorizeAnswer) => void;
  readonly onfail?: (reason: Reason) => void;
}

export interface AuthorizeAnswer {
  readonly authToken: string;
  readonly authTokenExp?: string;
}

/** `GLANCE.Authorization`: the token that every agent object of the page uses. */
export class Authorization {
  private given: string | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly settings: Settings) {}

  /** The token as set last, else the tag's `data-authtoken`, else an empty string. */
  readonly token = (): string => this.given ?? this.settings.attribute("authtoken") ?? "";

  /** Sets the token; open connections go on under it. */
  readonly setToken = (token: string): void => {
    this.given = token;
    for (const listener of this.listeners) listener();
  };

  /** Obtains a token by credentials and sets it. */
  readonly authorize = (params: AuthorizeParams): void => {
    void this.obtain(params).then(
      (answer) => callHandler(params, params.onsuccess, answer),
      (error: unknown) => callHandler(params, params.onfail, reasonOf(error)),
    );
  };

  /** Calls `listener` whenever a token is set; the function given back ends that. */
  onToken(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private async obtain(params: AuthorizeParams): Promise<AuthorizeAnswer> {
    const { webserver, service = "presence", duration = 60, groupid = this.settings.groupid, credentials } = params;
    const target = address(this.settings.webOrigin(webserver), "/authorization", { service, duration, groupid });
    const answer = (await callRest(target, undefined, credentials)) as AuthorizeAnswer;
    if (!answer.authToken) throw new RestFailure("authorization");
    this.setToken(answer.authToken);
    return answer;
  }
}
