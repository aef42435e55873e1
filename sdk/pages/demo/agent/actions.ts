/** The two forms of a visitor's panel: leave a note, and call a function by name. */

import { h, setText } from "../../shared/dom";
import { note } from "./log";
import type { Opened } from "./opened";
import { codeOf, explain } from "./reasons";

interface Preset {
  label: string;
  func: string;
  args: (visitorid: string) => unknown;
}

const PRESETS: Preset[] = [
  { label: "Point at something", func: "GLANCE.Demo.highlight", args: () => ({ selector: "h1" }) },
  { label: "Open a page of the shop", func: "GLANCE.Demo.openPage", args: () => ({ path: "/demo/lantern" }) },
  {
    label: "Show the terms",
    func: "GLANCE.Cobrowse.Visitor.showTerms",
    args: (visitorid) => ({ sessionKey: visitorid }),
  },
  {
    label: "Start a session",
    func: "GLANCE.Cobrowse.Visitor.startSession",
    args: (visitorid) => ({ sessionKey: visitorid }),
  },
  { label: "Something else", func: "GLANCE.", args: () => ({}) },
];

type Parsed = { good: true; value: unknown } | { good: false; why: string };

function parse(text: string): Parsed {
  if (text.trim() === "") return { good: true, value: undefined };
  try {
    return { good: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { good: false, why: `This is not JSON. ${error instanceof Error ? error.message : ""}` };
  }
}

/** Says under a form what became of the call; `data-result` is `ok`, `fail` or `wait`. */
function teller(line: HTMLElement): (result: "ok" | "fail" | "wait", text: string) => void {
  return (result, text) => {
    line.dataset["result"] = result;
    setText(line, text);
  };
}

function resultLine(name: string): HTMLElement {
  return h("p", { class: "result", role: "status", "data-result-of": name });
}

export function messageForm(opened: Opened): HTMLElement {
  const id = `message-${opened.key}`;
  const text = h("textarea", {
    class: "input",
    id,
    rows: 3,
    "data-field": "message",
    placeholder: "Good morning. Can I help with the lantern?",
  });
  const raw = h("input", { type: "checkbox", "data-field": "message-raw" });
  const line = resultLine("signal");
  const say = teller(line);
  const form = h(
    "form",
    { class: "card", "data-form": "signal", novalidate: true },
    h("h3", {}, "Leave a note"),
    h("div", { class: "field" }, h("label", { for: id }, "Message"), text),
    h(
      "div",
      { class: "card-foot" },
      h("button", { class: "button primary", "data-action": "signal" }, "Send"),
      h("label", { class: "check" }, raw, "as JSON"),
    ),
    line,
  );
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const parsed: Parsed = raw.checked ? parse(text.value) : { good: true, value: { text: text.value.trim() } };
    const empty = text.value.trim() === "";
    text.setAttribute("aria-invalid", String(empty || !parsed.good));
    if (empty) return say("fail", "Write something first.");
    if (!parsed.good) return say("fail", parsed.why);
    say("wait", "On its way");
    note("call", opened.key, "signalVisitor", parsed.value);
    opened.agent.signalVisitor({
      data: parsed.value,
      onsuccess: (answer) => {
        note("ok", opened.key, "signalVisitor", answer);
        say("ok", "Accepted by the service.");
        text.value = "";
      },
      onfail: (reason) => {
        note("fail", opened.key, "signalVisitor", reason);
        say("fail", explain(reason));
      },
    });
  });
  return form;
}

export function invokeForm(opened: Opened): HTMLElement {
  const id = opened.key;
  const choice = h(
    "select",
    { class: "input", id: `preset-${id}`, "data-field": "preset" },
    ...PRESETS.map((preset, index) => h("option", { value: index }, preset.label)),
  );
  const func = h("input", {
    class: "input mono",
    id: `func-${id}`,
    "data-field": "func",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const args = h("textarea", {
    class: "input mono",
    id: `args-${id}`,
    rows: 2,
    "data-field": "args",
    spellcheck: "false",
  });
  const line = resultLine("invoke");
  const say = teller(line);

  const fill = (): void => {
    const preset = PRESETS[Number(choice.value)];
    if (!preset) return;
    func.value = preset.func;
    args.value = JSON.stringify(preset.args(opened.visitorid || opened.key));
    args.removeAttribute("aria-invalid");
    func.removeAttribute("aria-invalid");
    setText(line, "");
  };
  choice.addEventListener("change", fill);
  fill();

  const form = h(
    "form",
    { class: "card", "data-form": "invoke", novalidate: true },
    h("h3", {}, "Call a function"),
    h("div", { class: "field" }, h("label", { for: `preset-${id}` }, "What to do"), choice),
    h("div", { class: "field" }, h("label", { for: `func-${id}` }, "Function"), func),
    h("div", { class: "field" }, h("label", { for: `args-${id}` }, "Arguments, as JSON"), args),
    h("div", { class: "card-foot" }, h("button", { class: "button primary", "data-action": "invoke" }, "Call")),
    line,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const named = /^GLANCE(\.[A-Za-z_$][\w$]*)+$/.test(func.value.trim());
    const parsed = parse(args.value);
    func.setAttribute("aria-invalid", String(!named));
    args.setAttribute("aria-invalid", String(!parsed.good));
    if (!named) return say("fail", "The function has to be a name under GLANCE, such as GLANCE.Demo.highlight.");
    if (!parsed.good) return say("fail", parsed.why);
    const call = { func: func.value.trim(), ...(parsed.value === undefined ? {} : { args: parsed.value }) };
    say("wait", "On its way");
    note("call", opened.key, "invokeVisitor", call);
    opened.agent.invokeVisitor({
      ...call,
      onsuccess: (answer) => {
        note("ok", opened.key, "invokeVisitor", answer);
        say("ok", "Accepted by the service. If the function fails, a visitorerror follows.");
      },
      onfail: (reason) => {
        note("fail", opened.key, "invokeVisitor", reason);
        say("fail", codeOf(reason) === "visitornotpresent" ? explain("visitornotpresent") : explain(reason));
      },
    });
  });
  return form;
}
