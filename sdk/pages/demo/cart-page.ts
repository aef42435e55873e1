/** The basket as a list with quantities, and the form that posts the order. */

import { money, plural } from "../shared/format";
import { byId, find, h, replace, setText } from "../shared/dom";
import { cartCount, cartTotal, readCart, setQuantity, type Line } from "./cart";
import { picture } from "./catalogue";

function stepper(line: Line): HTMLElement {
  const { id, name } = line.product;
  const step = (label: string, sign: string, to: number): HTMLElement => {
    const button = h(
      "button",
      { type: "button", class: "button small", "aria-label": `${label} ${name}`, "data-step": `${id}${sign}` },
      sign,
    );
    button.addEventListener("click", () => setQuantity(id, to));
    return button;
  };
  return h(
    "div",
    { class: "stepper", role: "group", "aria-label": `Quantity of ${name}` },
    step("One less", "−", line.quantity - 1),
    h("output", { "aria-live": "polite" }, line.quantity),
    step("One more", "+", line.quantity + 1),
  );
}

function row(line: Line): HTMLElement {
  const { id, name, price } = line.product;
  const remove = h(
    "button",
    { type: "button", class: "button plain small", "aria-label": `Remove ${name}` },
    "Remove",
  );
  remove.addEventListener("click", () => setQuantity(id, 0));
  return h(
    "li",
    { class: "line", "data-line": id },
    h("img", { src: picture(id), alt: "", width: 96, height: 80 }),
    h("div", { class: "line-what" }, h("a", { href: `/demo/${id}` }, name), h("span", {}, `${money(price)} each`)),
    stepper(line),
    h("strong", { class: "line-sum" }, money(price * line.quantity)),
    remove,
  );
}

export function showCart(): void {
  const list = byId("lines");
  const show = (): void => {
    const focused = document.activeElement?.getAttribute("data-step");
    const lines = readCart();
    replace(list, ...lines.map(row));
    if (focused) find(`[data-step="${CSS.escape(focused)}"]`, list)?.focus();
    const empty = lines.length === 0;
    byId("cart-empty").hidden = !empty;
    byId("cart-full").hidden = empty;
    setText(byId("cart-count"), empty ? "Nothing here yet" : plural(cartCount(lines), "thing"));
    setText(byId("cart-total"), money(cartTotal(lines)));
    byId<HTMLInputElement>("order-items").value = lines
      .map((line) => `${line.quantity} ${line.product.id}`)
      .join(", ");
    byId<HTMLInputElement>("order-pence").value = String(cartTotal(lines));
  };
  document.addEventListener("cartchange", show);
  show();
}
