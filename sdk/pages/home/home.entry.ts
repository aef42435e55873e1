/** The first page: asks the server how it is, and fills the tag for a site. */

import { byId, setText, wireCopy } from "../shared/dom";
import { ago } from "../shared/format";

interface About {
  version?: string;
  mode?: string;
  group?: string;
  groups?: number;
  visitors?: number;
  agents?: number;
  started?: number;
}

type Ready = "yes" | "no" | "unreachable";

const EVERY_MS = 5000;
const WORDS: Record<Ready, string> = {
  yes: "Running and ready",
  no: "Running, not ready for new sockets",
  unreachable: "No answer from the server",
};

function showTag(group: string): void {
  const source = `${location.origin}/cobrowse/CobrowseJS.ashx?groupid=${group}`;
  const lines = [
    `<script id="glance-cobrowse"`,
    `  src="${source}"`,
    `  data-groupid="${group}" data-presence="on"></script>`,
  ];
  setText(byId("tag"), lines.join("\n"));
}

function showReady(ready: Ready): void {
  byId("status").dataset["ready"] = ready;
  setText(byId("status-text"), WORDS[ready]);
  byId("trouble").hidden = ready !== "unreachable";
}

function figure(id: string, value: number | undefined): void {
  setText(byId(id), value === undefined ? "–" : value.toLocaleString("en"));
}

function showAbout(about: About): void {
  figure("visitors", about.visitors);
  figure("agents", about.agents);
  figure("groups", about.groups);
  setText(byId("uptime"), about.started === undefined ? "–" : ago(about.started).replace("just now", "0 s"));
  setText(byId("mode"), about.mode ?? "–");
  if (about.version) setText(byId("version"), about.version);
  if (about.group) showTag(about.group);
  const development = about.mode === "development";
  if (development)
    setText(byId("snippet-note"), "In development mode any page on this machine may use it, on any port.");
}

async function ask(): Promise<void> {
  try {
    const [ready, about] = await Promise.all([
      fetch("/readyz", { cache: "no-store" }),
      fetch("/v1/about", { cache: "no-store" }),
    ]);
    showReady(ready.ok ? "yes" : ready.status === 503 ? "no" : "unreachable");
    setText(byId("trouble-text"), `/readyz answered ${ready.status}.`);
    if (about.ok) showAbout((await about.json()) as About);
  } catch {
    showReady("unreachable");
    setText(byId("trouble-text"), `Nothing came back from ${location.host}. This page asks again every few seconds.`);
  }
}

async function watch(): Promise<void> {
  if (document.visibilityState === "visible") await ask();
  setTimeout(() => void watch(), EVERY_MS);
}

showTag(document.body.dataset["group"] ?? "");
wireCopy(byId("copy"), () => byId("tag").textContent ?? "");
document.addEventListener("visibilitychange", () => void (document.visibilityState === "visible" && ask()));
void watch();
