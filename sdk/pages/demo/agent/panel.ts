/** The panel of one opened visitor. */

import { ago, byThrees, shortVisitor } from "../../shared/format";
import { h, redraw, setText } from "../../shared/dom";
import { invokeForm, messageForm } from "./actions";
import { ChatCard } from "./chat-card";
import type { Opened, Standing } from "./opened";
import { explain } from "./reasons";
import { viewButton } from "./view";

export const STANDINGS: Record<Standing, string> = {
  asking: "Asking",
  connected: "Connected",
  transit: "In transit",
  gone: "Gone",
};

/** Shown above the table, so not in it again. */
const SHOWN_ABOVE = new Set(["url", "title"]);

export function labelOf(opened: Opened): string {
  if (opened.by === "visitorid") return shortVisitor(opened.key);
  const code = byThrees(opened.key);
  return opened.visitorid ? `${shortVisitor(opened.visitorid)} · ${code}` : code;
}

export class Panel {
  readonly element: HTMLElement;
  private readonly title = h("h2", {});
  private readonly state = h("span", { class: "pill standing", "data-standing": "asking" });
  private readonly visibility = h("span", { class: "pill", "data-visibility": "" });
  private readonly sockets = h("span", { class: "pill", "data-sockets": "" });
  private readonly extra = h("span", { class: "pill", "data-extra": "" });
  private readonly page = h("p", { class: "page" });
  private readonly trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  private readonly table = h("tbody", {});
  private readonly updated = h("span", { class: "updated" });
  readonly chat: ChatCard;

  constructor(
    private readonly opened: Opened,
    id: string,
    close: () => void,
  ) {
    const closeButton = h("button", { type: "button", class: "button small", "data-action": "close" }, "Close");
    closeButton.addEventListener("click", close);
    const lookup = h("button", { type: "button", class: "button small", "data-action": "lookup" }, "Look up");
    lookup.addEventListener("click", () => opened.lookup((text) => setText(this.updated, text)));

    const view = viewButton(opened);
    this.chat = new ChatCard(opened);
    this.element = h(
      "div",
      {
        class: "panel",
        id: `panel-${id}`,
        role: "tabpanel",
        "aria-labelledby": `tab-${id}`,
        "data-panel": opened.key,
      },
      h(
        "header",
        { class: "panel-head" },
        h("div", { class: "panel-title" }, this.title, view.button, closeButton),
        h("p", { class: "pills", "aria-live": "polite" }, this.state, this.visibility, this.sockets, this.extra),
        this.page,
        view.line,
      ),
      this.trouble,
      this.chat.element,
      h("div", { class: "cards" }, messageForm(opened), invokeForm(opened)),
      h(
        "section",
        { class: "reported" },
        h("div", { class: "reported-head" }, h("h3", {}, "Presence data"), this.updated, lookup),
        h(
          "table",
          {},
          h("caption", { class: "visually-hidden" }, "What the visitor’s pages reported"),
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Name"), h("th", { scope: "col" }, "Value"))),
          this.table,
        ),
      ),
    );
    opened.onchange = () => {
      this.show();
      document.dispatchEvent(new CustomEvent("openedchange"));
    };
    this.show();
  }

  show(): void {
    const { opened } = this;
    setText(this.title, labelOf(opened));
    this.title.title = opened.visitorid || opened.key;
    this.element.dataset["standing"] = opened.standing;
    this.state.dataset["standing"] = opened.standing;
    redraw(this.state, opened.standing, () => [
      h("span", { class: "dot", "aria-hidden": "true" }),
      STANDINGS[opened.standing],
    ]);
    this.pill(this.visibility, "visibility", opened.standing === "gone" ? "" : opened.visibility);
    const sockets = opened.sockets;
    this.pill(
      this.sockets,
      "sockets",
      sockets === undefined ? "" : String(sockets),
      sockets === 1 ? "1 socket" : `${sockets} sockets`,
    );
    const extra = [opened.terms && `terms ${opened.terms}`, opened.session && `session ${opened.session}`]
      .filter(Boolean)
      .join(", ");
    this.pill(this.extra, "extra", extra);
    this.showPage();
    this.showTrouble();
    this.showTable();
    this.chat.show();
  }

  private pill(element: HTMLElement, name: string, value: string, text = value): void {
    element.hidden = value === "";
    element.dataset[name] = value;
    setText(element, text);
  }

  private showPage(): void {
    const url = this.opened.data.get("url") ?? "";
    const title = this.opened.data.get("title") ?? "";
    this.page.hidden = url === "" && title === "";
    const web = /^https?:\/\//.test(url);
    redraw(this.page, [title, url], () => [
      title && h("strong", { "data-page-title": true }, title),
      web
        ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer", "data-page-url": true }, url)
        : h("span", { "data-page-url": true }, url),
    ]);
  }

  private showTrouble(): void {
    const { opened } = this;
    const gone = opened.standing === "gone" && opened.trouble === "";
    this.trouble.hidden = !gone && opened.trouble === "";
    this.trouble.classList.toggle("mild", gone);
    redraw(this.trouble, [gone, opened.trouble], () => (gone ? [this.absence()] : this.difficulty()));
  }

  private absence(): HTMLElement {
    const advice = "Keep the tab open: it comes alive when the visitor does.";
    return h("p", {}, h("strong", {}, "This visitor is not present. "), advice);
  }

  private difficulty(): HTMLElement[] {
    const again = h("button", { type: "button", class: "button small", "data-action": "reconnect" }, "Try again");
    again.addEventListener("click", () => {
      this.opened.again();
      this.show();
    });
    return [h("p", {}, explain(this.opened.trouble)), again];
  }

  private showTable(): void {
    const { opened } = this;
    const rows = [...opened.data].filter(([name]) => !SHOWN_ABOVE.has(name));
    const when = ago(opened.updated);
    if (opened.updated > 0) setText(this.updated, when === "just now" ? "Updated just now" : `Updated ${when} ago`);
    redraw(this.table, [rows, opened.updated], () =>
      rows.length === 0
        ? [h("tr", {}, h("td", { colspan: 2, class: "nothing" }, "Nothing reported yet."))]
        : rows.map(([name, value]) => this.row(name, value)),
    );
  }

  private row(name: string, value: string): HTMLElement {
    return h(
      "tr",
      { "data-key": name, class: this.opened.changed.has(name) ? "changed" : "" },
      h("th", { scope: "row" }, name),
      h("td", {}, value === "" ? h("span", { class: "nothing" }, "empty") : value),
    );
  }
}
