/** An example of a contact centre's desktop: calls and chats, the controller kit, and `slave.html` in a frame. */

import { Agent } from "../../../agent";
import { AgentChats } from "../../../chat";
import { Interaction, startOf, VestibuleError, type AttachedData, type Closing } from "../../../facades/genesys";
import { sessionToken } from "../../../facades/genesys/slave-address";
import { byId, find, findAll, h, redraw, setText } from "../../shared/dom";
import { call, chat, Inactivity, type Primary } from "./primary";
import { signIn, type SignedIn } from "./token";

/** The buttons of the demo's shop. */
const BUTTONS = ["sales", "support"];
const KEYS = ["CoBrowseAssociated", "CoBrowseSessionsQuantity", "CoBrowseSessionId", "CoBrowseStartTime", "CoBrowseDuration"] as const;
const OVER: Readonly<Record<Closing, string>> = {
  exited: "The session is over; the interaction goes on.",
  transferred: "The interaction went to another agent, with this data.",
  timedout: "The interaction timed out. This data was written before.",
  closed: "The interaction is closed. This data was written before.",
};
const WORDS: Readonly<Record<string, string>> = {
  notfound: "No session has this ID. It may be over: ask the customer to read it out again.",
  ratelimited: "Too many IDs were tried. Wait a minute.",
  authorization: "The server does not let this desktop in.",
  connection: "The server cannot be reached.",
  taken: "A session runs already.",
};

class Desktop {
  private primary: Primary | undefined;
  private interaction: Interaction | undefined;
  private heard = 0;
  private readonly idle = new Inactivity(
    () => Number(byId<HTMLInputElement>("idle").value) || 300,
    () => void this.close("timedout"),
  );

  constructor(
    private readonly who: SignedIn,
    private readonly chats: AgentChats,
  ) {
    chats.on("change", () => this.draw());
    chats.on("chat", () => this.changed());
    chats.on("message", () => this.changed());
    byId("call").addEventListener("click", () => this.take(call()));
    byId("join").addEventListener("submit", (event) => {
      event.preventDefault();
      const token = sessionToken(byId<HTMLInputElement>("token").value);
      if (token) void this.join((interaction) => interaction.join(token));
      else this.complain("A session ID has nine digits.");
    });
    byId("say").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = byId<HTMLInputElement>("say-text");
      if (!text.value.trim()) return;
      void this.primary?.say?.(text.value.trim()).catch(() => this.complain("It could not be said. Try again."));
      text.value = "";
    });
    for (const button of findAll<HTMLButtonElement>("[data-close]")) button.addEventListener("click", () => void this.close(button.dataset["close"] as "transferred" | "closed"));
    for (const name of ["pointerdown", "keydown", "change"]) byId("busy").addEventListener(name, () => this.primary && this.idle.restart());
    this.draw();
  }

  private take(primary: Primary): void {
    const interaction = new Interaction({ root: `${location.origin}/cobrowse`, token: () => this.who.token(), name: "Desktop" });
    this.primary = primary;
    this.interaction = interaction;
    // What was said to another agent before may ask for a session that is over.
    this.heard = primary.messages.at(-1)?.n ?? 0;
    setText(byId("over"), "");
    byId<HTMLInputElement>("token").value = "";
    interaction.events.on("attach", () => this.drawData(interaction.data));
    interaction.events.on("over", ({ why }) => {
      this.show(undefined);
      setText(byId("over"), OVER[why]);
      byId("over").dataset["why"] = why;
      this.draw();
    });
    interaction.events.on("lost", () => this.complain("The connection was lost: the session may go on."));
    this.idle.restart();
    this.drawData({});
    this.complain("");
    this.changed();
    byId("interaction").focus();
  }

  /** The interaction ends here: the session first, then what it is part of. */
  private async close(why: Exclude<Closing, "exited">): Promise<void> {
    const { interaction, primary } = this;
    if (!interaction || !primary) return;
    this.idle.stop();
    this.interaction = this.primary = undefined;
    this.draw();
    await interaction.close(why).catch(() => this.complain(WORDS["connection"] ?? ""));
    await primary.letGo(why).catch(() => {});
    setText(byId("over"), OVER[why]);
    byId("over").dataset["why"] = why;
  }

  private async join(how: (interaction: Interaction) => Promise<string | undefined>): Promise<void> {
    const { interaction } = this;
    if (!interaction) return;
    this.complain("");
    setText(byId("over"), "");
    byId<HTMLButtonElement>("join-button").disabled = true;
    try {
      const page = await how(interaction);
      // The controller is in: now the agents' page may come.
      if (page && interaction.hasSession) this.show(page);
    } catch (error) {
      this.complain(WORDS[error instanceof VestibuleError ? error.code : ""] ?? "The session could not be joined.");
    }
    this.draw();
  }

  /** A chat's messages, each heard once: one of them may ask for a session. */
  private changed(): void {
    const { primary, interaction } = this;
    const fresh = primary?.messages.filter(({ n }) => n > this.heard) ?? [];
    for (const { n, from, text } of fresh) {
      this.heard = n;
      this.idle.restart();
      if (from === "visitor" && interaction && !interaction.hasSession) this.hear(text);
    }
    this.draw();
  }

  private hear(text: string): void {
    if (startOf(text)) void this.join((interaction) => interaction.hear(text));
  }

  private said(text: string): HTMLElement | string {
    if (!startOf(text)) return text;
    const button = h("button", { class: "start", type: "button" }, "Look at my page");
    button.addEventListener("click", () => this.hear(text));
    return button;
  }

  private show(page: string | undefined): void {
    const view = find(".view");
    find("iframe", view ?? document)?.remove();
    byId("no-view").hidden = page !== undefined;
    if (page) view?.append(h("iframe", { src: page, title: "The customer’s page", allow: "fullscreen" }));
  }

  private complain(problem: string): void {
    setText(byId("join-error"), problem);
    byId("token").setAttribute("aria-invalid", String(problem !== ""));
  }

  private draw(): void {
    const { primary, interaction } = this;
    byId("free").hidden = primary !== undefined;
    byId("busy").hidden = primary === undefined;
    byId<HTMLButtonElement>("join-button").disabled = interaction?.hasSession ?? false;
    setText(byId("with"), primary?.title ?? "");
    byId("said").hidden = byId("say").hidden = !primary?.say;
    const messages = primary?.messages ?? [];
    redraw(byId("said"), messages, () => messages.map(({ from, text }) => h("li", {}, h("b", {}, from === "visitor" ? "Customer: " : "You: "), this.said(text))));
    byId("said").scrollTop = byId("said").scrollHeight;
    const { waiting } = this.chats;
    byId("queue-empty").hidden = waiting.length > 0;
    redraw(byId("queue"), waiting, () =>
      waiting.map((row) => {
        const button = h("button", { class: "button small", type: "button", "data-chat": row.chat }, "Take");
        button.addEventListener("click", () => void chat(this.chats, row.chat).then((taken) => this.take(taken), () => this.draw()));
        return h("li", {}, h("span", {}, row.button ? `A customer, about ${row.button}` : "A customer"), button);
      }),
    );
  }

  private drawData(data: AttachedData): void {
    const rows = KEYS.filter((key) => data[key] !== undefined);
    byId("data-empty").hidden = rows.length > 0;
    redraw(byId("data"), data, () => rows.map((key) => h("tr", { "data-key": key }, h("th", { scope: "row" }, key), h("td", {}, data[key]))));
  }
}

function stands(state: "ready" | "unreachable", words: string): void {
  document.body.dataset["desktop"] = state;
  setText(byId("state-text"), words);
}

async function start(): Promise<void> {
  const who = await signIn();
  const agent = new Agent({ server: location.origin, group: who.group, token: () => who.token() });
  const chats = new AgentChats(agent);
  agent.on("connected", () => stands("ready", "Ready"));
  agent.on("outage", () => stands("unreachable", "No connection"));
  agent.on("error", ({ message }) => stands("unreachable", message));
  await agent.connect();
  await chats.setAvailable(BUTTONS);
  new Desktop(who, chats);
  byId("work").hidden = false;
}

start().catch(() => stands("unreachable", "The server did not answer"));
