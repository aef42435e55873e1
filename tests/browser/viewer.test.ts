/** The agent's viewer at its documented address: it waits for the visitor's session, and signs in by a login key. */

import { expect, test } from "vitest";
import { press, Showing, Watching, Tap } from "./support/cobrowse";
import { GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage();

const address = (query: Record<string, string>): string => `${stage.server.origin}/agentjoin/AgentView.aspx?${new URLSearchParams(query)}`;

function signedIn(): Record<string, string> {
  const loginkey = stage.server.command("loginkey", "--group", GROUP, "--user", "grace");
  return { partnerid: GROUP, partneruserid: "grace", loginkey };
}

async function viewer(query: Record<string, string>): Promise<Watching> {
  const { context, diary } = await stage.person("viewer", "elsewhere");
  const page = await context.newPage();
  const tap = new Tap(page, "received");
  await page.goto(address(query));
  return new Watching(page, diary.errors, tap);
}

test("it waits for the session, and shows it", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", { body: `<h1 id="one">One</h1>` });
  const agent = await viewer({ VisitorId: showing.visitorid, wait: "1", ...signedIn() });
  await agent.page.getByText("Waiting for the visitor").first().waitFor();
  expect(agent.page.url()).not.toContain("loginkey");
  await tab.evaluate(() => (window as any).visitor.startSession({ agreed: true }));
  await agent.sees("#one");
  expect(new URL(agent.page.url()).pathname).toBe("/watch/");
});

test("without waiting it says that nothing has started", async () => {
  const showing = new Showing(stage);
  await showing.open("/one", { body: "<p>One</p>" });
  const agent = await viewer({ SessionKey: showing.visitorid, ...signedIn() });
  await agent.page.getByText("The session has not started").first().waitFor();
});

test("while what the nodes share is away it says so, and asks again", async () => {
  const showing = new Showing(stage);
  await showing.open("/one", { body: "<p>One</p>" });
  const { context } = await stage.person("viewer", "elsewhere");
  const answers = [
    { status: 200, body: JSON.stringify({ sessions: [] }) },
    { status: 503, body: JSON.stringify({ code: "unready", retry_ms: 1_000, degraded: true }) },
  ];
  let asked = 0;
  await context.route("**/v1/groups/*/sessions?*", (route) => {
    const answer = answers[asked];
    asked += 1;
    return answer ? route.fulfill({ ...answer, contentType: "application/json", headers: { "Vestibule-Degraded": "true" } }) : route.fallback();
  });
  const page = await context.newPage();
  await page.goto(address({ VisitorId: showing.visitorid, ...signedIn() }));
  await page.getByText("cannot reach its records").waitFor();
  await page.getByText("The session has not started").first().waitFor();
  expect(asked).toBe(3);
});

test("it joins a session that an agent began, and the visitor is asked once", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", { body: `<h1 id="one">One</h1>` });
  await showing.link();
  const agent = await viewer({ VisitorId: showing.visitorid, ...signedIn() });
  await press(tab, "accept");
  await agent.sees("#one");
});

test("nobody named, nobody signed in, or a wrong key: it says so", async () => {
  const says = async (query: Record<string, string>, words: string): Promise<void> => {
    const { page } = await viewer(query);
    await page.getByText(words).first().waitFor();
  };
  await says({ VisitorId: "a b" }, "No visitor is named");
  await says({ VisitorId: "ada" }, "You are not signed in");
  await says({ VisitorId: "ada", partneruserid: "grace", partnerid: GROUP, loginkey: "$1$1700000000$wrong" }, "does not accept this login key");
});
