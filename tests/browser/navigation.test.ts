/** A long random walk over pages and tabs while an agent goes on sending: nobody leaves, nothing is lost or repeated. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import type { Outcome } from "./support/agent";
import { eventually } from "./support/journal";
import { Random } from "./support/random";
import { mintToken } from "./support/settings";
import { useStage } from "./support/stage";
import { visitorScript } from "./support/visitor";
import { LOST, Walker, type Told } from "./support/walker";

const PAGE_CHANGES = 200;
const SIGNALS = 500;

const stage = useStage();

test(`${PAGE_CHANGES} page changes and ${SIGNALS} signals meanwhile`, { timeout: 240_000 }, async () => {
  const random = new Random();
  onTestFailed(() => console.error(`this walk's seed: SEED=${random.seed}`));
  const { told } = stage.site;
  told.clear();
  const ended = (how: string): Promise<number> => stage.server.figure(`vestibule_signals_total{outcome="${how}"}`);
  const before = { delivered: await ended("delivered"), expired: await ended("expired") };
  const walker = new Walker(await stage.visitor(), stage.site, random, "ada");
  await walker.enter();
  await told.next("connect");
  const agent = await (await stage.agent()).watch({ visitorid: "ada" });

  const accepted: Outcome[] = [];
  let refused = 0;
  let changes = 0;
  const walk = async (): Promise<void> => {
    for (; changes < PAGE_CHANGES; changes += 1) await walker.step();
  };
  const send = async (): Promise<void> => {
    const pauses = new Random(random.seed + 1);
    while (accepted.length < SIGNALS) {
      // Spread over the walk, at moments that have nothing to do with its steps.
      await sleep(pauses.next() < 0.3 ? 0 : pauses.below(80));
      const due = ((changes + 1) / PAGE_CHANGES) * SIGNALS;
      if (accepted.length >= due) continue;
      const answer = await agent.signal({ n: accepted.length, sent: Date.now() });
      // When a tab is closed with a signal on its way, that one waits a while for the tab, and the others behind it.
      if (answer.fail === "toomany") refused += 1;
      else accepted.push(answer);
    }
  };
  const began = Date.now();
  await Promise.all([walk(), send()]);
  const took = Date.now() - began;
  // Every signal has its end within this time; what was not seen then is lost.
  await told.until(() => told.all("signal").length >= SIGNALS, "last signal", 15_000).catch(() => {});

  const seen = told.all("signal") as Told[];
  const numbers = seen.map(({ data }) => data!.n);
  const times = new Map<number, number>();
  for (const n of numbers) times.set(n, (times.get(n) ?? 0) + 1);
  onTestFailed(() => console.error(told.describe()));
  const lost = Array.from({ length: SIGNALS }, (_, n) => n).filter((n) => !times.has(n));
  const repeated = [...times].filter(([, count]) => count > 1).map(([n]) => seen.filter(({ data }) => data!.n === n));
  const pages = new Set(seen.map(({ page }) => page)).size;
  const delays = seen.map(({ at, data }) => at - data!.sent).sort((a, b) => a - b);
  console.info(
    `${changes} page changes in ${took} ms ${JSON.stringify(walker.moves)}, ${walker.restored} from the back-forward cache; ` +
      `${SIGNALS} signals on ${pages} pages, ${lost.length} lost, ${repeated.length} repeated, ${refused} refused as too many; ` +
      `seen after ${delays[delays.length >> 1]} ms (median), ${delays.at(-1)} ms (longest); ` +
      `${agent.journal.all("visitorconn").length - 1} visitorconn, ${agent.journal.all("visitorsock").length} visitorsock after the first`,
  );
  expect(accepted.filter(({ fail }) => fail)).toEqual([]);
  const outcomes = await Promise.all(accepted.slice(-100).map(({ ok }) => outcome(ok.id)));
  expect(new Set(outcomes)).toEqual(new Set(["delivered"]));
  expect((await ended("delivered")) - before.delivered).toBe(SIGNALS);
  expect((await ended("expired")) - before.expired).toBe(0);

  expect({ lost, repeated }).toEqual({ lost: [], repeated: [] });
  expect(disorder(seen, lives(told.entries))).toEqual([]);

  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  const sockets = agent.journal.all("visitorsock");
  expect(sockets.length).toBeGreaterThan(PAGE_CHANGES);
  expect(sockets.every(({ sockets }) => sockets >= 0 && sockets <= 4)).toBe(true);
  expect(told.all("error")).toEqual([]);
  // Every page knew its own tab.
  expect(told.all("lost").filter(({ code }) => code === "superseded")).toEqual([]);
});

async function outcome(id: string): Promise<string> {
  const path = `/groups/12345/visitors/ada/signals/${id}`;
  const ask = () => stage.server.rest("GET", path, mintToken());
  const { body } = await eventually(ask, ({ body }) => body?.outcome !== "held");
  return body.outcome;
}

/** When a page was there, and when it was connected, in Unix ms. */
interface Life {
  readonly from: number;
  readonly until: number;
  readonly connected: number;
}

/** The lives of each page; one that comes back from the cache has several. */
function lives(entries: readonly { readonly name: string; readonly data: Told }[]): Map<string, Life[]> {
  const all = new Map<string, Life[]>();
  for (const { name, data } of entries) {
    const its = all.get(data.page) ?? [];
    all.set(data.page, its);
    const last = its.at(-1);
    if (name === "pageshow") its.push({ from: data.at, until: Infinity, connected: Infinity });
    else if (name === "connect" && last) its[its.length - 1] = { ...last, connected: data.at };
    else if (name === "pagehide" && last) its[its.length - 1] = { ...last, until: data.at };
  }
  return all;
}

/**
 * Signals that a tab's handlers saw after a later one. Between tabs there is no order: a signal goes at once to the page
 * that has the focus now, though another tab may not have taken the one before. That one comes here when the other tab has
 * not taken it in time; so a signal is passed over when a page of another tab was connected as it was sent. Pages that are
 * there at the same time are of two tabs.
 */
function disorder(seen: readonly Told[], pages: Map<string, Life[]>): unknown[] {
  const mayHaveHad = (sent: number, tab: string | undefined): boolean => {
    const its = new Set(seen.filter((told) => told.tab === tab).map(({ page }) => page));
    const own = [...its].flatMap((page) => pages.get(page) ?? []);
    const isElsewhere = (life: Life): boolean => own.some(({ from, until }) => from < life.until && life.from < until);
    const others = [...pages].filter(([page]) => !its.has(page)).flatMap(([, its]) => its);
    return others.some((life) => life.connected <= sent && sent <= life.until && isElsewhere(life));
  };
  const tabs = new Set(seen.map(({ tab }) => tab));
  return [...tabs].flatMap((tab) => {
    const its = seen.filter((told) => told.tab === tab);
    its.sort((a, b) => a.at - b.at || (a.page === b.page ? a.count - b.count : a.data!.n - b.data!.n));
    return its.filter((told, at) => at > 0 && told.data!.n < its[at - 1]!.data!.n && !mayHaveHad(told.data!.sent, tab));
  });
}

test("a page that opens a tab before its own socket is open is told apart from it", async () => {
  const { told } = stage.site;
  told.clear();
  const visitor = await stage.visitor();
  const calls = `visitor.onconnect = () => tell("connect", { tab: sessionStorage.getItem("vestibule.tab") }); visitor.connect(); ${LOST}`;
  const script = visitorScript({ visitorid: "bruno" }, calls);
  visitor.put("/copy", { script });
  const page = await visitor.open("/opener", { script: `${script} if (location.search) window.open("/copy");` });
  await told.next("connect");
  await page.goto(`${stage.site.origin}/opener?again`);
  await told.until(() => told.all("connect").length === 3, "both pages");
  const [first, ...both] = told.all("connect").map(({ tab }) => tab);
  expect(both).toContain(first);
  expect(both[0]).not.toBe(both[1]);
  expect(told.all("lost").filter(({ code }) => code === "superseded")).toEqual([]);
});
