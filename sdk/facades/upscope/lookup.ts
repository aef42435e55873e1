/** Shows the code that leads agents to the visitor in an element of the page, as soon as that appears. */

export function showIn(page: Window, place: string | Element, code: () => Promise<string>): () => void {
  const { document } = page;
  let asked = false;
  const watch = new MutationObserver(() => look());
  const look = (): void => {
    const element = typeof place === "string" ? document.querySelector(place) : place;
    if (!element?.isConnected || asked) return;
    asked = true;
    watch.disconnect();
    code().then(
      (text) => (element.textContent = text),
      // The element stays as the page wrote it.
      () => {},
    );
  };
  watch.observe(document, { childList: true, subtree: true });
  look();
  return () => watch.disconnect();
}
