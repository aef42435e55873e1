/** Building and finding elements. Text goes in as text nodes, never as markup. */

export type Child = Node | string | number | false | null | undefined;
export type Attributes = Record<string, string | number | boolean | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, ...children);
  return element;
}

export function append(parent: Node, ...children: Child[]): void {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.textContent = "";
  append(parent, ...children);
}

/** The element with this id; a page without it is a mistake in the page, so it is said aloud. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element #${id}`);
  return element as T;
}

export function find<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T | null {
  return within.querySelector<T>(selector);
}

export function findAll<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T[] {
  return [...within.querySelectorAll<T>(selector)];
}

/** Writes text only when it differs, so that screen readers and selections are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "visually-hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

const drawn = new WeakMap<Element, string>();

/** Rebuilds an element only when what it shows has changed: a redrawn live region is read out again. */
export function redraw(parent: Element, shown: unknown, children: () => Child[]): void {
  const print = JSON.stringify(shown) ?? "";
  if (drawn.get(parent) === print) return;
  drawn.set(parent, print);
  replace(parent, ...children());
}

/** A button that copies and says so for a moment. */
export function wireCopy(button: HTMLElement, text: () => string): void {
  const label = button.textContent ?? "Copy";
  button.addEventListener("click", () => {
    void copyText(text()).then((done) => {
      setText(button, done ? "Copied" : "Press Ctrl+C");
      button.setAttribute("data-copied", String(done));
      setTimeout(() => {
        setText(button, label);
        button.removeAttribute("data-copied");
      }, 1600);
    });
  });
}
