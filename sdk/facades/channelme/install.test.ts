import { Window as FakeWindow } from "happy-dom";
import { expect, test, vi } from "vitest";
import type { ConnectOptions } from "./connect";
import { install, type SiteConnect } from "./install";

const opened = vi.hoisted((): ConnectOptions[] => []);

vi.mock("./connect", () => ({
  /** One that gets a code when the test says so. */
  Connect: class {
    constructor(private readonly options: ConnectOptions) {
      opened.push(options);
    }
    get partner(): string {
      return this.options.partner;
    }
    start(): void {}
    end(): void {}
    send(): void {}
  },
}));

test("the code of one partner is gone when the page starts for another; what else stands there stays", () => {
  const window = new FakeWindow({ url: "https://shop.test/" });
  const { document } = window;
  document.body.innerHTML = `<script data-no-init src="https://server.test/site_connect.js"></script><p id="wwwchannelme">…</p>`;
  const page = window as unknown as Window & { site_connect: SiteConnect };
  install(page, document.querySelector("script") as unknown as HTMLScriptElement);
  const place = document.getElementById("wwwchannelme")!;
  page.site_connect.start("1");
  expect(place.textContent).toBe("…");
  opened[0]!.shown("111111");
  page.site_connect.start("1");
  expect([place.textContent, opened.length]).toEqual(["111111", 1]);
  page.site_connect.start("2");
  expect([place.textContent, opened.length]).toEqual(["", 2]);
  opened[1]!.shown("222222");
  expect(place.textContent).toBe("222222");
  place.textContent = "the page's own";
  page.site_connect.start("1");
  expect(place.textContent).toBe("the page's own");
});
