/** The customer's web site: another origin than the server's, with pages that tests write. */

import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Runs in the page. `note` tells the test something; `noteAll` sets the `on…` handlers of an object so that each
 * event is told under its name.
 */
const SCRIPT = `
window.note = (journal, name, data) => console.debug("note", journal, name, JSON.stringify(data === undefined ? null : data));
window.noteAll = (journal, object, names) => {
  for (const name of names) {
    object["on" + name] = (...data) => note(journal, name, data.length > 1 ? data : data[0]);
  }
  return object;
};
`;

export class Site {
  private readonly pages = new Map<string, string>();

  private constructor(
    private readonly http: HttpServer,
    readonly origin: string,
  ) {}

  static async start(): Promise<Site> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const site = new Site(http, `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    http.on("request", (request, response) => {
      const path = (request.url ?? "/").split("?")[0] ?? "/";
      const page = path === "/note.js" ? SCRIPT : site.pages.get(path);
      const type = path.endsWith(".js") ? "text/javascript" : "text/html";
      response.writeHead(page === undefined ? 404 : 200, { "Content-Type": `${type}; charset=utf-8`, "Cache-Control": "no-cache" });
      response.end(page ?? "");
    });
    return site;
  }

  /** Puts a page at `path`; gives its address. */
  page(path: string, html: string): string {
    this.pages.set(path, html);
    return this.origin + path;
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
