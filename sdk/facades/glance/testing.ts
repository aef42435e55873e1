/** For tests: the page's globals, with a fake server behind `WebSocket` and `fetch`. */

import { vi } from "vitest";
import { FakeSocket, settle } from "../../core/testing";

export const sockets: FakeSocket[] = [];

export interface Call {
  readonly address: string;
  readonly method: string;
  readonly token: string | undefined;
  readonly body: unknown;
}

export const calls: Call[] = [];

/** Answers of the REST interface, in order: a status and a body, or `undefined` for no network. */
export const answers: ({ readonly status: number; readonly body: unknown } | undefined)[] = [];

/** A fresh page without tag, globals or storage. */
export function freshPage(): void {
  sockets.length = calls.length = answers.length = 0;
  vi.useFakeTimers();
  const open = function (url: string): FakeSocket {
    const socket = new FakeSocket(url);
    sockets.push(socket);
    return socket;
  };
  vi.stubGlobal("WebSocket", open);
  vi.stubGlobal("fetch", async (address: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>;
    calls.push({
      address,
      method: init.method ?? "GET",
      token: headers.Authorization,
      body: init.body === undefined ? undefined : JSON.parse(init.body as string),
    });
    const answer = answers.shift();
    if (!answer) throw new TypeError("no network");
    return { ok: answer.status < 400, status: answer.status, json: async () => answer.body };
  });
  delete (window as { GLANCE?: unknown }).GLANCE;
  delete (window as { GLANCE_COBROWSE?: unknown }).GLANCE_COBROWSE;
  document.head.innerHTML = document.body.innerHTML = "";
  localStorage.clear();
}

/** A tag in the page: `meta` with these attributes. */
export function tag(attributes: Record<string, string>, id = "glance-cobrowse"): void {
  const element = document.createElement("meta");
  element.id = id;
  for (const name of Object.keys(attributes)) element.setAttribute(name, attributes[name] as string);
  document.head.append(element);
}

/** The script element that the code thinks it runs from; never loaded. */
export function script(src: string, attributes: Record<string, string> = {}): HTMLScriptElement {
  return {
    src,
    getAttribute: (name: string) => attributes[name] ?? null,
  } as unknown as HTMLScriptElement;
}

export function lastSocket(): FakeSocket {
  const socket = sockets[sockets.length - 1];
  if (!socket) throw new Error("no socket was opened");
  return socket;
}

/** Takes the newest socket and its hello. */
export async function welcome(fields: object = {}): Promise<FakeSocket> {
  await settle();
  const socket = lastSocket().open();
  const hello = socket.last("hello");
  const common = { type: "welcome", socket: "s", now: Date.now(), expires: Date.now() + 3_600_000 };
  await socket.say({ ...common, visitorid: hello.visitorid, epoch: 1, focus: true, terms: null, ...fields });
  return socket;
}

export { settle };

/** The global as a page uses it. */
export function glance(): any {
  return (window as unknown as { GLANCE: unknown }).GLANCE;
}
