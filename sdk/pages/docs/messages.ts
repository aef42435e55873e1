/** Socket messages from an AsyncAPI 3 document. */

import { h } from "../shared/dom";
import { examples } from "./example";
import { phrase, prose } from "./prose";
import { schemaView } from "./schema";
import type { Item, Part } from "./parts";
import { type Doc, entries, type Json, list, object, refName, slug, text } from "./spec";

type Direction = "in" | "out" | "both" | "";

const ARROWS: Record<Direction, string> = {
  in: "client to server",
  out: "server to client",
  both: "both ways",
  "": "",
};

/** The document speaks for the server: what it receives comes from the client. */
function directions(doc: Doc, channelName: string, channel: Json): Map<string, Direction> {
  const found = new Map<string, Direction>();
  for (const [, operation] of entries(doc.root["operations"])) {
    const ref = text(object(operation["channel"])["$ref"]);
    if (refName(ref) !== channelName) continue;
    const direction: Direction = operation["action"] === "receive" ? "in" : "out";
    const named = list(operation["messages"]).map((each) => refName(text(object(each)["$ref"])));
    for (const key of named.length > 0 ? named : Object.keys(object(channel["messages"]))) {
      const before = found.get(key);
      found.set(key, before === undefined || before === direction ? direction : "both");
    }
  }
  return found;
}

/** A payload may be a schema, a reference, or a schema with its format beside it. */
function payloadOf(message: Json): unknown {
  const payload = object(message["payload"]);
  return payload["schemaFormat"] !== undefined ? payload["schema"] : message["payload"];
}

function messageItem(doc: Doc, channelName: string, key: string, value: Json, direction: Direction): Item {
  const message = doc.resolve(value);
  const name = text(message["name"]) || key;
  const side = direction === "" || direction === "both" ? "" : `-${direction}`;
  const id = `msg-${slug(channelName)}${side}-${slug(key)}`;
  const payload = payloadOf(message);
  const title = text(message["title"]);
  const element = h(
    "article",
    { class: "item", id, "data-message": name, "data-direction": direction, "aria-labelledby": `${id}-h` },
    h(
      "h3",
      { id: `${id}-h` },
      h("code", {}, name),
      direction !== "" && h("span", { class: `direction ${direction}` }, ARROWS[direction]),
      h("a", { class: "anchor", href: `#${id}`, "aria-label": `Link to ${name}` }, "#"),
    ),
    text(message["summary"])
      ? h("p", { class: "summary" }, phrase(text(message["summary"])))
      : title !== "" && title !== name && h("p", { class: "summary" }, title),
    ...prose(text(message["description"])),
    payload !== undefined &&
      h("div", { class: "sides" }, schemaView(doc, payload), examples(doc, message, payload, "Example")),
  );
  return { id, label: name, badge: direction === "in" ? "→" : direction === "out" ? "←" : "", element };
}

export function channelParts(doc: Doc): Part[] {
  const parts = entries(doc.root["channels"]).map(([name, channel]): Part => {
    const direction = directions(doc, name, channel);
    const order: Direction[] = ["in", "both", "out", ""];
    const items = entries(channel["messages"])
      .map(([key, message]) => messageItem(doc, name, key, message, direction.get(key) ?? ""))
      .sort(
        (a, b) =>
          order.indexOf(a.element.dataset["direction"] as Direction) -
          order.indexOf(b.element.dataset["direction"] as Direction),
      );
    const address = text(channel["address"]);
    const words = [address && `\`${address}\``, text(channel["summary"]), text(channel["description"])]
      .filter(Boolean)
      .join("\n\n");
    return { id: `socket-${slug(name)}`, title: text(channel["title"]) || name, kind: "Socket", text: words, items };
  });
  if (parts.length > 0) return parts;
  const loose = entries(object(doc.root["components"])["messages"]);
  if (loose.length === 0) return [];
  return [
    {
      id: "socket-messages",
      title: "Messages",
      kind: "Socket",
      text: "",
      items: loose.map(([key, message]) => messageItem(doc, "socket", key, message, "")),
    },
  ];
}
