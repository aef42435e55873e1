/** Styles a shadow root. A constructed sheet passes a content security policy without `unsafe-inline`. */
export function adoptStyle(page: Window, root: ShadowRoot, style: string): void {
  try {
    const Sheet = (page as unknown as { CSSStyleSheet: typeof CSSStyleSheet }).CSSStyleSheet;
    const sheet = new Sheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const element = page.document.createElement("style");
    element.textContent = style;
    root.append(element);
  }
}
