/** The little Markdown that descriptions use: paragraphs, lists, `code`, **bold** and links. */

import { h } from "../shared/dom";

function inline(source: string): Node[] {
  const nodes: Node[] = [];
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
  let from = 0;
  for (const match of source.matchAll(pattern)) {
    nodes.push(document.createTextNode(source.slice(from, match.index)));
    const [all, code, bold, label, href] = match;
    if (code !== undefined) nodes.push(h("code", {}, code));
    else if (bold !== undefined) nodes.push(h("strong", {}, bold));
    else if (href !== undefined && /^(https?:\/\/|[/#])/.test(href)) nodes.push(h("a", { href }, label));
    else nodes.push(document.createTextNode(all));
    from = match.index + all.length;
  }
  nodes.push(document.createTextNode(source.slice(from)));
  return nodes;
}

export function prose(source: string): HTMLElement[] {
  return source
    .split(/\n\s*\n/)
    .map((block) => block.trim())
    .filter(Boolean)
    .map((block) => {
      const lines = block.split("\n");
      if (lines.every((line) => /^\s*[-*]\s/.test(line))) {
        return h("ul", {}, ...lines.map((line) => h("li", {}, ...inline(line.replace(/^\s*[-*]\s+/, "")))));
      }
      return h("p", {}, ...inline(lines.join(" ")));
    });
}

export function phrase(source: string): HTMLElement {
  return h("span", {}, ...inline(source.replace(/\s*\n\s*/g, " ")));
}
