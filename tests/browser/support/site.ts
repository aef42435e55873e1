/** The customer's web site: another origin than the server's, with pages that tests write. */

import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Journal } from "./journal";

/**
 * Runs in the page. `note` tells the test something; `noteAll` sets the `on…` handlers of an object so that each
 * event is told under its name. `tell` does so over the site's own server, which is surer: the browser sends it even
 * when the page is gone a moment later.
 */
const SCRIPT = `
{
  // A page that comes back from the back-forward cache repeats its console; the stamp tells repeats.
  const page = Math.random().toString(36).slice(2);
  let count = 0;
  const text = (data) => JSON.stringify(data === undefined ? null : data);
  window.note = (journal, name, data) => console.debug("note", page + (count += 1), journal, name, text(data));
  window.tell = (name, data) =>
    navigator.sendBeacon("/tell", text({ name, data: { page, count: (count += 1), at: Date.now(), ...data } }));
}
window.noteAll = (journal, object, names) => {
  for (const name of names) {
    object["on" + name] = (...data) => note(journal, name, data.length > 1 ? data : data[0]);
  }
  return object;
};
`;

export interface SiteFile {
  readonly type: string;
  readonly body: string;
  /** Only for browsers that send this cookie. */
  readonly cookie?: string;
  /** Whether scripts of other origins may read it. */
  readonly shared?: boolean;
}

export class Site {
  /** What pages told by `tell`, in the order of its arrival: on the way one beacon may overtake another. */
  readonly told = new Journal("told to the site");
  private readonly pages = new Map<string, string>();
  private readonly files = new Map<string, SiteFile>();

  private constructor(
    private readonly http: HttpServer,
    readonly origin: string,
  ) {}

  static async start(): Promise<Site> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const site = new Site(http, `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    http.on("request", (request, response) => void site.answer(request, response).catch(() => response.destroy()));
    return site;
  }

  /** What pages told under this name so far, in the order in which they did. */
  inOrder(name: string): any[] {
    return this.told.all(name).sort((one, other) => one.at - other.at || one.count - other.count);
  }

  /** Puts a page at `path`; gives its address. */
  page(path: string, html: string): string {
    this.pages.set(path, html);
    return this.origin + path;
  }

  /** Puts a style sheet, picture or the like at `path`; gives its address. */
  file(path: string, file: SiteFile): string {
    this.files.set(path, file);
    return this.origin + path;
  }

  /** A post is answered by a redirect to the same address, as shops do it; `?wait=` delays a page by so many ms. */
  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams, search } = new URL(request.url ?? "/", this.origin);
    const body: Buffer[] = [];
    for await (const part of request) body.push(part as Buffer);
    if (request.method === "POST") {
      if (path === "/tell") {
        const { name, data } = JSON.parse(Buffer.concat(body).toString()) as { name: string; data: unknown };
        this.told.add(name, data);
      }
      response.writeHead(path === "/tell" ? 204 : 303, { Location: path + search });
      response.end();
      return;
    }
    await sleep(Number(searchParams.get("wait")));
    const file = this.files.get(path);
    if (file) {
      const isAllowed = !file.cookie || (request.headers.cookie ?? "").includes(file.cookie);
      response.writeHead(isAllowed ? 200 : 403, { "Content-Type": file.type, ...(file.shared && { "Access-Control-Allow-Origin": "*" }) });
      response.end(isAllowed ? file.body : "");
      return;
    }
    const page = path === "/note.js" ? SCRIPT : this.pages.get(path);
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    response.writeHead(page === undefined ? 404 : 200, { "Content-Type": `${type}; charset=utf-8`, "Cache-Control": "no-cache" });
    response.end(page ?? "");
  }

  stop(): Promise<void> {
    this.http.closeAllConnections();
    return new Promise((resolve) => this.http.close(() => resolve()));
  }
}

/** A page with `note.js` and these parts, in this order. */
export function html(parts: { readonly head?: string; readonly body?: string; readonly script?: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>Test page</title>
<script src="/note.js"></script>
${parts.head ?? ""}
</head>
<body>
${parts.body ?? "<h1>Test page</h1>"}
<script>${parts.script ?? ""}</script>
</body>
</html>`;
}
