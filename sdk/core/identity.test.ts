import { expect, test } from "vitest";
import { Identity, pageStores } from "./identity";
import { memoryStore, webStore, type Store } from "./storage";
import { FakePage } from "./testing";

function copyOf(names: string[]): (store: Store) => Store {
  return (store) => {
    const copy = memoryStore();
    for (const name of names) {
      const value = store.read(name);
      if (value !== undefined) copy.write(name, value);
    }
    return copy;
  };
}

const copyTab = copyOf(["vestibule.tab", "vestibule.inuse"]);

test("a tab keeps its id over page changes; a page has its own", () => {
  const first = new FakePage();
  const { tab, current } = first.identity;
  const second = first.next();
  expect(second.identity.tab).toBe(tab);
  expect(second.identity.current).not.toBe(current);
});

test("a duplicated tab makes an id of its own and keeps it", () => {
  const original = new FakePage();
  const { tab } = original.identity;
  const copy = original.duplicate(copyTab);
  const copiedTab = copy.identity.tab;
  expect(copiedTab).not.toBe(tab);
  expect(copy.next().identity.tab).toBe(copiedTab);
  expect(original.next().identity.tab).toBe(tab);
});

test("a discarded tab that is loaded again is no duplicate", () => {
  const original = new FakePage();
  const { tab } = original.identity;
  const again = new FakePage(original.stores);
  Object.defineProperty(again.window.document, "wasDiscarded", { value: true });
  expect(again.identity.tab).toBe(tab);
});

test("a tab that is claimed is marked at once", () => {
  const page = new FakePage();
  page.identity.claim();
  const { tab } = page.identity;
  expect(page.duplicate(copyTab).identity.tab).not.toBe(tab);
});

test("a superseded page takes a new tab id and keeps it", () => {
  const page = new FakePage();
  const { tab } = page.identity;
  page.identity.renewTab();
  const renewed = page.identity.tab;
  expect(renewed).not.toBe(tab);
  expect(page.next().identity.tab).toBe(renewed);
});

test("from the back-forward cache the tab is the same, the page is new", () => {
  const page = new FakePage();
  const { tab, current } = page.identity;
  page.fire("pagehide", { persisted: true });
  page.fire("pageshow", { persisted: true });
  expect(page.identity.tab).toBe(tab);
  expect(page.identity.current).not.toBe(current);
});

test("a page from the back-forward cache may be shown before the page it takes the place of is hidden", () => {
  const first = new FakePage();
  const { tab } = first.identity;
  first.fire("pagehide", { persisted: true });
  const second = new FakePage(first.stores);
  expect(second.identity.tab).toBe(tab);
  first.fire("pageshow", { persisted: true });
  expect(first.identity.tab).toBe(tab);
  second.identity.renewTab();
  expect(second.identity.tab).not.toBe(tab);
  second.fire("pagehide", { persisted: true });
  expect(first.duplicate(copyTab).identity.tab).not.toBe(tab);
  expect(first.next().identity.tab).toBe(tab);
});

test("the anonymous id is kept by group, or for the tab only", () => {
  const page = new FakePage();
  const id = page.identity.anonymous("1", true);
  expect(id).toMatch(/^~[0-9a-f]{32}$/);
  const otherTab = new FakePage({ lasting: page.stores.lasting, tab: memoryStore() });
  expect(otherTab.identity.anonymous("1", true)).toBe(id);
  expect(otherTab.identity.anonymous("2", true)).not.toBe(id);
  const own = otherTab.identity.anonymous("1", false);
  expect(own).not.toBe(id);
  expect(otherTab.next().identity.anonymous("1", false)).toBe(own);
});

test("blocked storage is replaced by the page's memory", () => {
  const blocked = {
    get localStorage(): Storage {
      throw new DOMException("blocked", "SecurityError");
    },
    get sessionStorage(): Storage {
      throw new DOMException("blocked", "SecurityError");
    },
    addEventListener() {},
    document: {},
  };
  Object.assign(blocked, { top: blocked });
  const page = blocked as unknown as Window;
  const identity = new Identity(page, pageStores(page));
  expect(identity.tab).toBe(identity.tab);
  expect(identity.anonymous("1", true)).toBe(identity.anonymous("1", true));
});

test("storage that refuses each operation is replaced too", () => {
  const refuse = (): never => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const store = webStore(() => ({ getItem: refuse, setItem: refuse, removeItem: refuse }) as unknown as Storage);
  store.write("name", "value");
  expect(store.read("name")).toBe("value");
  store.remove("name");
  expect(store.read("name")).toBeUndefined();
});
