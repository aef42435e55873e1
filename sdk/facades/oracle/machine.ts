/**
 * The life of a session as a page sees it, as a pure machine: `apply(input)` changes the state and gives what is to be
 * told, in order. For one change the specific event comes first, then `StateChanged`; a change to the same state tells
 * nothing.
 *
 *   INIT → READY, or INIT → ACTIVE:… when a session outlived the page load
 *   READY → STARTING → ACTIVE → ACTIVE:WAIT ⇄ ACTIVE:ACTIVE
 *   STARTING, ACTIVE:… → DISCONNECTING → READY
 *   anything → ERROR
 */

import { isActive, Reasons, States, type State, type Told } from "./states";

/** An agent in the session. */
export interface Agent {
  /** Not that of any other agent in any session. */
  readonly id: string;
  readonly name: string;
  /** Whether his connection is there; if not, he is waited for. */
  readonly connected: boolean;
}

export type Input =
  /** The page asks for a session; or one of the visitor begins elsewhere: in another tab, or at an agent's wish. */
  | { readonly what: "starts"; readonly SID?: string | undefined }
  /** The server has told that there is no session. */
  | { readonly what: "vacant" }
  /** The page is in a session. `known`: agents whom this tab has told of before this page was there. */
  | {
      readonly what: "entered";
      readonly accessCode: string | undefined;
      readonly SID: string | undefined;
      readonly agents: readonly Agent[];
      readonly known?: readonly Agent[] | undefined;
    }
  /** Somebody came or went. */
  | { readonly what: "agents"; readonly agents: readonly Agent[] }
  /** The page wants it to end. */
  | { readonly what: "stops"; readonly reason: string }
  /** It is over. `reason` counts unless the page gave one. */
  | { readonly what: "over"; readonly reason: string }
  /** A link leads away from the site. */
  | { readonly what: "leaves"; readonly url: string }
  /** Nothing works any more on this page. */
  | { readonly what: "fails" };

export class Machine {
  state: State = States.INIT;
  previousState: State | undefined;
  accessCode: string | undefined;
  SID: string | undefined;
  agents: readonly Agent[] = [];
  private reason: string | undefined;
  private told: Told[] = [];

  constructor(private readonly siteCode: string) {}

  /** Whether there is a session, or one is on its way. */
  get hasSession(): boolean {
    return this.state === States.STARTING || isActive(this.state);
  }

  apply(input: Input): readonly Told[] {
    this.told = [];
    this.take(input);
    return this.told;
  }

  private take(input: Input): void {
    const { state } = this;
    // Nothing comes after it.
    if (state === States.ERROR) return;
    switch (input.what) {
      case "starts":
        if (state !== States.READY) return;
        this.SID = input.SID;
        this.tell({ name: "SessionStarting", data: { SID: input.SID, siteCode: this.siteCode } });
        return this.become(States.STARTING);
      case "vacant":
        if (state === States.INIT) this.become(States.READY);
        return;
      case "entered":
        return this.entered(input);
      case "agents":
        if (isActive(state)) this.meet(input.agents, this.agents);
        return;
      case "stops":
        if (!this.hasSession) return;
        this.reason = input.reason;
        return this.become(States.DISCONNECTING);
      case "over":
        if (state === States.INIT) return this.become(States.READY);
        if (state === States.READY) return;
        this.reason ??= input.reason;
        this.become(States.DISCONNECTING);
        this.end();
        return this.become(States.READY);
      case "leaves":
        if (isActive(state)) this.tell({ name: "NavigatingAway", data: { url: input.url, ...this.common } });
        return;
      case "fails":
        if (state !== States.INIT && state !== States.READY) {
          this.reason ??= Reasons.network;
          this.end();
        }
        return this.become(States.ERROR);
    }
  }

  private entered({ accessCode, SID, agents, known }: Extract<Input, { what: "entered" }>): void {
    const resumed = this.state === States.INIT;
    if (this.state === States.DISCONNECTING) return;
    if (this.state === States.READY) this.take({ what: "starts", SID });
    [this.accessCode, this.SID] = [accessCode, SID];
    if (this.state === States.STARTING) {
      this.tell({ name: "SessionStarted", data: { ...this.common, mode: "ICB" } });
      this.become(States.ACTIVE);
    }
    // Whoever was there before this page, was told of on an earlier one.
    this.meet(agents, resumed ? (known ?? agents) : this.agents);
  }

  /** Tells who came and who went since `before`, then the state that follows. */
  private meet(agents: readonly Agent[], before: readonly Agent[]): void {
    const among = (others: readonly Agent[], agent: Agent): boolean => others.some(({ id }) => id === agent.id);
    const of = ({ name, id }: Agent) => ({ name, id, ...this.common });
    this.agents = agents;
    for (const agent of before) if (!among(agents, agent)) this.tell({ name: "AgentDisconnected", data: of(agent) });
    for (const agent of agents) if (!among(before, agent)) this.tell({ name: "AgentConnected", data: of(agent) });
    this.become(agents.length ? States.ACTIVE_ACTIVE : States.ACTIVE_WAIT);
  }

  private end(): void {
    const agentCount = this.agents.filter(({ connected }) => connected).length;
    this.tell({ name: "SessionEnded", data: { reason: this.reason ?? Reasons.user, ...this.common, agentCount } });
    this.agents = [];
    this.accessCode = this.SID = this.reason = undefined;
  }

  private become(state: State): void {
    const previousState = this.state;
    if (state === previousState) return;
    [this.state, this.previousState] = [state, previousState];
    this.tell({ name: "StateChanged", data: { state, previousState, ...this.common } });
  }

  private get common() {
    return { accessCode: this.accessCode, SID: this.SID, siteCode: this.siteCode };
  }

  private tell(told: Told): void {
    this.told.push(told);
  }
}
