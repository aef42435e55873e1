/** The basket, kept in this browser. */

import { money, plural } from "../shared/format";
import { keep, kept } from "../shared/kept";
import { find, findAll, setText } from "../shared/dom";
import { product, type Product } from "./catalogue";

const KEY = "harbour-pine.cart";
const MOST = 20;

export interface Line {
  product: Product;
  quantity: number;
}

export function readCart(): Line[] {
  let stored: unknown;
  try {
    stored = JSON.parse(kept(KEY) ?? "{}");
  } catch {
    stored = {};
  }
  const lines: Line[] = [];
  for (const [id, quantity] of Object.entries(stored ?? {})) {
    const found = product(id);
    if (found && Number.isInteger(quantity) && quantity > 0)
      lines.push({ product: found, quantity: Math.min(MOST, quantity) });
  }
  return lines;
}

/** Sets the quantity of one product (0 takes it out) and tells the page. */
export function setQuantity(id: string, quantity: number): void {
  const entries = readCart().map((line) => [line.product.id, line.quantity] as const);
  const amounts = Object.fromEntries(entries);
  if (quantity > 0) amounts[id] = Math.min(MOST, quantity);
  else delete amounts[id];
  store(amounts);
}

export function addToCart(id: string, quantity: number): void {
  const present = readCart().find((line) => line.product.id === id)?.quantity ?? 0;
  setQuantity(id, present + quantity);
}

export function emptyCart(): void {
  store({});
}

function store(amounts: Record<string, number>): void {
  keep(KEY, JSON.stringify(amounts));
  document.dispatchEvent(new CustomEvent("cartchange"));
}

export function cartCount(lines = readCart()): number {
  return lines.reduce((sum, line) => sum + line.quantity, 0);
}

export function cartTotal(lines = readCart()): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.product.price, 0);
}

export function cartSummary(): string {
  const lines = readCart();
  return lines.length === 0 ? "empty" : `${plural(cartCount(lines), "item")}, ${money(cartTotal(lines))}`;
}

/** The count in the masthead and the "add" forms, on every page. */
export function wireCart(): void {
  const show = (): void => {
    const count = cartCount();
    for (const badge of findAll("[data-cart-count]")) {
      setText(badge, String(count));
      badge.classList.toggle("empty", count === 0);
    }
  };
  document.addEventListener("cartchange", show);
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) document.dispatchEvent(new CustomEvent("cartchange"));
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.dispatchEvent(new CustomEvent("cartchange"));
  });
  show();

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.dataset["add"]) return;
    event.preventDefault();
    const quantity = Number(new FormData(form).get("quantity") ?? 1);
    const found = product(form.dataset["add"]);
    if (!found || !(quantity > 0)) return;
    addToCart(found.id, quantity);
    const said = find("[data-added]", form);
    if (said) setText(said, `${plural(quantity, found.name, found.name)} added. The basket holds ${cartSummary()}.`);
  });
}
