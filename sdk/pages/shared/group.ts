/** Which group an agent's page is for: the one that its address names, else the server's, else the one that he types. */

import { byId } from "./dom";

/** Ids of groups are numbers that are kept as text. */
const GROUP = /^[0-9]{1,20}$/;

/** What the server says to pages before anybody is signed in. */
export interface PageConfig {
  readonly mode: "development" | "configured";
  /** Of requests that name none; empty where there are several groups and the settings name none of them. */
  readonly group: string;
}

/** The group that is known without asking; empty when there is none. */
export function knownGroup(config: Pick<PageConfig, "group">, query = location.search): string {
  const named = new URLSearchParams(query).get("group") ?? "";
  return GROUP.test(named) ? named : config.group;
}

/** The field of a form that asks for the group, where nobody else says it. */
export class GroupField {
  private readonly field = byId("group-field");
  private readonly input = byId<HTMLInputElement>("group-id");

  /** Shows the field where no group is known. */
  asks(known: string): void {
    this.field.hidden = known !== "";
  }

  /** The group, or what is wrong with what was typed. */
  read(known: string): { readonly group: string; readonly problem: string } {
    const asked = !this.field.hidden;
    const group = asked ? this.input.value.trim() : known;
    const problem = GROUP.test(group) ? "" : group ? "A group is a number of 1 to 20 digits." : "The group is needed, too.";
    if (asked) this.input.setAttribute("aria-invalid", String(problem !== ""));
    return { group, problem };
  }
}
