/** What happened, in order: tests await entries of it instead of sleeping. */

import { setTimeout as sleep } from "node:timers/promises";

export interface Entry {
  readonly name: string;
  readonly data: any;
}

const LIMIT_MS = 10_000;

export class Journal {
  readonly entries: Entry[] = [];
  private readonly takenByName = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  constructor(readonly title: string) {}

  add(name: string, data: unknown): void {
    this.entries.push({ name, data });
    for (const wake of [...this.waiting]) wake();
  }

  /** Names of all entries so far. */
  get names(): string[] {
    return this.entries.map((entry) => entry.name);
  }

  /** Data of all entries of this name so far. */
  all(name: string): any[] {
    return this.entries.filter((entry) => entry.name === name).map((entry) => entry.data);
  }

  /** Data of the next entry of this name, counted from the last one taken, that `fits`; those before it are passed over. */
  async next(name: string, fits: (data: any) => boolean = () => true, limitMs = LIMIT_MS): Promise<any> {
    const found = (): number => {
      const from = this.takenByName.get(name) ?? 0;
      return this.entries.findIndex((entry, at) => at >= from && entry.name === name && fits(entry.data));
    };
    await this.until(() => found() >= 0, `"${name}"`, limitMs);
    const at = found();
    this.takenByName.set(name, at + 1);
    return this.entries[at]?.data;
  }

  /** Waits until `holds`; `what` names it when it does not come true. */
  async until(holds: () => boolean, what: string, limitMs = LIMIT_MS): Promise<void> {
    const deadline = Date.now() + limitMs;
    while (!holds()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${what} within ${limitMs} ms\n${this.describe()}`);
      let wake!: () => void;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      this.waiting.add(wake);
      await Promise.race([woken, sleep(left, undefined, { ref: false })]);
      this.waiting.delete(wake);
    }
  }

  /** Forgets the entries so far. */
  clear(): void {
    this.entries.length = 0;
    this.takenByName.clear();
  }

  describe(): string {
    const lines = this.entries.map(({ name, data }) => `    ${name} ${JSON.stringify(data)}`);
    return [`  ${this.title}:`, ...(lines.length ? lines : ["    (nothing)"])].join("\n");
  }
}

/** What a document answers that was just replaced by the next one. */
const REPLACED = Symbol("replaced");

/**
 * Asks until the answer `fits`; for states that nothing tells, such as a server's figures. A document that is replaced
 * while it is asked has no answer; the next one is asked.
 */
export async function eventually<Answer>(
  ask: () => Promise<Answer> | Answer,
  fits: (answer: Answer) => boolean,
  limitMs = LIMIT_MS,
): Promise<Answer> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await Promise.resolve().then(ask).catch(ofReplaced);
    if (answer !== REPLACED && fits(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not so within ${limitMs} ms; last answer: ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

function ofReplaced(error: unknown): typeof REPLACED {
  if (String(error).includes("Execution context was destroyed")) return REPLACED;
  throw error;
}
