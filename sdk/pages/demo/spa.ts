/** The catalogue as one page: `history.pushState` moves between the list and the products. */

import { money } from "../shared/format";
import { byId, h, replace } from "../shared/dom";
import { catalogue, picture, product, type Product } from "./catalogue";
import { report } from "./presence";

const LIST_TITLE = "One page · Harbour & Pine";

function link(id: string | null, className: string, ...children: (Node | string)[]): HTMLAnchorElement {
  return h(
    "a",
    { href: id === null ? "/demo/spa" : `/demo/spa?item=${id}`, class: className, "data-route": id ?? "" },
    ...children,
  );
}

function card(item: Product): HTMLElement {
  return h(
    "li",
    { class: "card", "data-product": item.id },
    link(
      item.id,
      "card-link",
      h("img", { src: picture(item.id), alt: "", width: 480, height: 400, loading: "lazy" }),
      h("span", { class: "card-kind" }, item.kind),
      h("span", { class: "card-name" }, item.name),
      h("span", { class: "card-price" }, money(item.price)),
    ),
  );
}

function list(): Node[] {
  return [
    h(
      "div",
      { class: "section-head" },
      h("h1", { tabindex: -1 }, "Everything, without leaving"),
      h("p", {}, "This version never loads a second document. Watch the agent’s desk follow along."),
    ),
    h("ul", { class: "cards", role: "list" }, ...catalogue.map(card)),
  ];
}

function detail(item: Product): Node[] {
  const buy = h(
    "form",
    { class: "buy", "data-add": item.id },
    h("button", { class: "button primary", "data-testid": "add" }, "Add to basket"),
    h("p", { class: "buy-said", role: "status", "data-added": true }),
  );
  return [
    h(
      "nav",
      { class: "crumbs", "aria-label": "Breadcrumb" },
      link(null, "", "Everything"),
      h("span", { "aria-hidden": "true" }, "/"),
      h("span", { "aria-current": "page" }, item.name),
    ),
    h(
      "div",
      { class: "product" },
      h(
        "figure",
        { class: "product-picture" },
        h("img", { src: picture(item.id), alt: item.name, width: 480, height: 400 }),
      ),
      h(
        "div",
        { class: "product-words" },
        h("p", { class: "eyebrow" }, item.kind),
        h("h1", { tabindex: -1 }, item.name),
        h("p", { class: "price" }, money(item.price)),
        h("p", { class: "lead" }, item.text),
        buy,
        h(
          "dl",
          { class: "facts" },
          ...item.facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
        ),
      ),
    ),
  ];
}

export function showSinglePage(): void {
  const stage = byId("stage");

  const show = (moved: boolean): void => {
    const item = product(new URLSearchParams(location.search).get("item"));
    stage.dataset["route"] = item?.id ?? "list";
    document.title = item ? `${item.name} · Harbour & Pine` : LIST_TITLE;
    replace(stage, ...(item ? detail(item) : list()));
    report({ page: item ? "spa-product" : "spa-list", product: item?.name ?? "" });
    if (!moved) return;
    window.scrollTo({ top: 0 });
    stage.querySelector("h1")?.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const anchor = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-route]") : null;
    if (!anchor || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (anchor.href !== location.href) history.pushState(null, "", anchor.href);
    show(true);
  });
  window.addEventListener("popstate", () => show(true));
  show(false);
}
