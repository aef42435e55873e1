/** The server goes away and comes back at the same address, in the middle of visits that agents watch. */

import type { Page } from "playwright-core";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { AgentObject, AgentPage } from "./support/agent";
import { eventually } from "./support/journal";
import { travel } from "./support/page";
import { GROUP, mintToken } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorBrowser } from "./support/visitor";

const GRACE_MS = 5000;

const stage = useStage({ settings: { presence: { grace_ms: GRACE_MS } } });

/** A visitor and who watches him. */
interface Visit {
  readonly id: string;
  readonly visitor: VisitorBrowser;
  readonly page: Page;
  readonly agent: AgentObject;
}

const of = (id: string) => (data: any): boolean => data.id === id;
/** What pages of this visitor told to the site, in the pages' order. */
const told = (name: string, id: string): any[] => stage.site.inOrder(name).filter(of(id));

function tellAll(id: string): string {
  return `
  tell("loaded", { id: "${id}" });
  visitor.onsignal = (data) => tell("signal", { id: "${id}", data });
  visitor.onconnect = () => tell("connect", { id: "${id}" });`;
}

async function visit(desk: AgentPage, id: string): Promise<Visit> {
  const visitor = await stage.visitor(id);
  const calls = `${tellAll(id)} visitor.presence({ data: { cart: 3 } }); visitor.connect();`;
  const page = await visitor.open(`/${id}`, { script: visitorScript({ visitorid: id }, calls) });
  await stage.site.told.next("connect", of(id));
  return { id, visitor, page, agent: await desk.watch({ visitorid: id }) };
}

/** A page of a site that has the SDK in its own bundle, and so runs it while the server is away. */
async function ownBundle(id: string): Promise<string> {
  const sdk = await fetch(`${stage.server.origin}/sdk/visitor.js`);
  stage.site.page("/sdk.js", await sdk.text());
  const script = `
  import("/sdk.js").then(({ Visitor }) => {
    const core = new Visitor({ server: "${stage.server.origin}", group: "${GROUP}", visitorid: "${id}" });
    window.visitor = {};
    ${tellAll(id)}
    core.on("signal", ({ data }) => visitor.onsignal(data));
    core.on("connected", () => visitor.onconnect());
    core.connect();
  });`;
  return stage.site.page(`/${id}-own`, html({ script }));
}

async function getsThrough({ id, agent }: Visit): Promise<void> {
  await eventually(() => agent.signal({ after: true }), ({ ok }) => ok !== undefined);
  await stage.site.told.until(() => told("signal", id).some(({ data }) => data.after), `signal for ${id}`);
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`${signal}, and started again`, { timeout: 60_000 }, async () => {
    const desk = await stage.agent({ token: mintToken({ seconds: 600 }) });
    const stays = await visit(desk, `stays-${signal}`);
    const changes = await visit(desk, `changes-${signal}`);
    const leaves = await visit(desk, `leaves-${signal}`);
    const away = await visit(desk, `away-${signal}`);
    const own = await ownBundle(changes.id);
    // A page without us: what is sent now waits.
    await away.page.goto(stage.site.page("/elsewhere", html({})));
    await away.agent.journal.next("visitorsock", ({ connected }) => !connected);
    const sent = [await away.agent.signal({ n: 1 }), await away.agent.signal({ n: 2 }), await away.agent.signal({ n: 3 })];
    expect(sent.map(({ ok }) => ok?.outcome)).toEqual(["held", "held", "held"]);

    await stage.server.stop(signal);
    await Promise.all([changes.page.goto(own), leaves.page.close()]);
    await stage.server.launch();
    const started = Date.now();
    const saved = signal === "SIGTERM" ? 4 : 0;
    expect(await stage.server.figure("vestibule_loaded_records_total")).toBe(saved);
    await travel(away.page, -1);

    const left = leaves.agent.journal.next("visitorconn", ({ connected }) => !connected, GRACE_MS + 10_000).then(() => Date.now());
    await Promise.all([getsThrough(stays), getsThrough(changes), getsThrough(away)]);
    if (saved) await stage.site.told.until(() => told("signal", away.id).length === 4, "held signals");
    // Over SIGTERM nothing is lost; over SIGKILL what waited is, as documented.
    expect(told("signal", away.id).map(({ data }) => data.n ?? "after")).toEqual(saved ? [1, 2, 3, "after"] : ["after"]);
    if (saved) for (const { ok } of sent) await eventually(() => outcome(away.id, ok.id), (outcome) => outcome === "delivered");

    // He who did not come back is told gone after the grace; the others never.
    expect((await left) - started).toBeGreaterThan(GRACE_MS - 1500);
    await sleep(500);
    for (const { agent } of [stays, changes, away]) expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(leaves.agent.journal.all("visitorconn")).toEqual([{ connected: true }, { connected: false }]);

    // The agent's page watches on: a new event arrives, under the same token, without a reload of either page.
    stays.agent.journal.clear();
    const other = await stage.visitor();
    await other.open("/other", { script: visitorScript({ visitorid: stays.id }) });
    await stays.agent.journal.next("visitorsock", ({ sockets }) => sockets === 2);
    expect(told("loaded", stays.id)).toHaveLength(1);
    expect((await stays.agent.lookup()).ok).toMatchObject({ visitorid: stays.id, cart: 3 });
    for (const { agent } of [stays, changes, away]) expect(agent.journal.all("error")).toEqual([]);
  });
}

async function outcome(visitorid: string, id: string): Promise<string | undefined> {
  const { body } = await stage.server.rest("GET", `/groups/${GROUP}/visitors/${visitorid}/signals/${id}`, mintToken());
  return body?.outcome;
}
