/** An agent who chats by the protocol itself, from a page of the site. */

import type { Page } from "playwright-core";
import { Journal } from "./journal";
import { mintToken } from "./settings";
import { html } from "./site";
import type { Stage } from "./stage";

/** Runs in the page: one socket, questions with their answers, and all else told to the journal. */
const SOCKET = (origin: string, token: string): string => `
  const socket = new WebSocket("${origin.replace(/^http/, "ws")}/v1/agent");
  const answers = new Map();
  let last = 0;
  socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token: "${token}" }));
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    const answer = answers.get(frame.request);
    if (answer) answer(frame);
    else note("desk", frame.type, frame);
  };
  window.ask = (frame) => new Promise((answer) => {
    answers.set((last += 1), answer);
    socket.send(JSON.stringify({ ...frame, request: last }));
  });
  window.hangUp = () => socket.close();
`;

let count = 0;

export class ChatAgent {
  private constructor(
    readonly page: Page,
    readonly journal: Journal,
  ) {}

  static async open(stage: Stage, name: string): Promise<ChatAgent> {
    const { context, diary } = await stage.person(name, "elsewhere");
    const page = await context.newPage();
    const token = mintToken({ subject: name.toLowerCase(), name });
    await page.goto(stage.site.page(`/chat-agent-${(count += 1)}`, html({ script: SOCKET(stage.server.origin, token) })));
    const agent = new ChatAgent(page, diary.journal("desk"));
    await agent.journal.next("welcome");
    await agent.ask({ type: "watchchats" });
    return agent;
  }

  /** What the server answers; an error is thrown. */
  async ask(frame: object): Promise<any> {
    const answer: any = await this.page.evaluate((frame) => (window as any).ask(frame), frame);
    if (answer.type === "error") throw new Error(`${answer.code}: ${answer.msg}`);
    return answer;
  }

  async available(...buttons: string[]): Promise<void> {
    await this.ask({ type: "available", buttons });
  }

  /** Waits for a chat by this button that nobody has, and takes it. */
  async claims(button: string): Promise<string> {
    const isWaiting = (row: { status: string; button?: string }): boolean => row.status === "waiting" && row.button === button;
    const { put } = await this.journal.next("chats", ({ put = [] }) => put.some(isWaiting));
    const { chat } = put.find(isWaiting);
    await this.ask({ type: "claimchat", chat });
    return chat;
  }

  async says(chat: string, text: string): Promise<void> {
    await this.ask({ type: "say", chat, text, id: `m-${(count += 1)}` });
  }

  /** The next thing that the visitor says. */
  async hears(): Promise<string> {
    const { message } = await this.journal.next("chatmessage", ({ message }) => message.from === "visitor");
    return message.text;
  }
}
