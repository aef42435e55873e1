/** The reference: reads both descriptions and draws what it finds in them. */

import { byId, replace, setText } from "../shared/dom";
import { channelParts } from "./messages";
import { wireNavigation } from "./navigation";
import { operationParts } from "./operations";
import { codeParts, type Part, partView, schemaPart } from "./parts";
import { prose } from "./prose";
import { Doc, type Json, object, text } from "./spec";

async function read(path: string): Promise<Json | string> {
  try {
    const answer = await fetch(path);
    if (!answer.ok) return `${path} answered ${answer.status}.`;
    return object(await answer.json());
  } catch {
    return `${path} could not be read.`;
  }
}

/** One broken piece must not take the page with it. */
function attempt(name: string, make: () => Part[], problems: string[]): Part[] {
  try {
    return make();
  } catch (error) {
    problems.push(`The ${name} could not be drawn: ${error instanceof Error ? error.message : String(error)}.`);
    return [];
  }
}

async function show(): Promise<void> {
  const [rest, sockets] = await Promise.all([read("/openapi.json"), read("/asyncapi.json")]);
  const problems = [rest, sockets].filter((each): each is string => typeof each === "string");
  const api = new Doc(typeof rest === "string" ? {} : rest, "rest");
  const socket = new Doc(typeof sockets === "string" ? {} : sockets, "socket");

  const parts = [
    ...attempt("REST calls", () => operationParts(api), problems),
    ...attempt("messages", () => channelParts(socket), problems),
    ...attempt("codes", () => codeParts([socket, api]), problems),
    ...attempt("schemas", () => schemaPart([api, socket]), problems),
  ];

  const info = object(api.root["info"]);
  const description = text(info["description"]);
  if (description) byId("description").after(...prose(description));
  if (text(info["title"])) setText(byId("title"), `${text(info["title"])} reference`);
  const notice = byId("notice");
  notice.hidden = problems.length === 0;
  setText(notice, problems.join(" "));

  replace(byId("content"), ...parts.map(partView));
  wireNavigation(parts);
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  document.body.dataset["docs"] = parts.length > 0 ? "ready" : "empty";
}

void show();
