/** Turns what a page calls the server into the addresses of its REST interface and its sockets. */

/**
 * Origin of the server, `http://…` or `https://…`, without a trailing slash.
 * Takes a host, `host:port`, or an address with an http or ws scheme; `scheme` fills in a missing one.
 */
export function serverOrigin(server: string, scheme = "https:"): string {
  const text = server.trim();
  const address = new URL(/^[a-z]+:\/\//i.test(text) ? text : `${scheme}//${text}`);
  const secure = address.protocol === "https:" || address.protocol === "wss:";
  return `${secure ? "https" : "http"}://${address.host}`;
}

/** Address of a socket path; http becomes ws and https becomes wss. */
export function socketAddress(origin: string, path: string, group: string): string {
  return `${origin.replace(/^http/, "ws")}${path}?group=${encodeURIComponent(group)}`;
}
