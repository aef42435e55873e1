import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The end-to-end tests: they lie with the server's tests and use this workspace's packages. */
const packages = resolve(import.meta.dirname, "node_modules");

export default defineConfig({
  root: resolve(import.meta.dirname, "../tests/browser"),
  resolve: {
    alias: {
      vitest: `${packages}/vitest/dist/index.js`,
      "playwright-core": `${packages}/playwright-core/index.mjs`,
      "cometd-nodejs-client": `${packages}/cometd-nodejs-client/cometd-nodejs-client.js`,
      cometd: `${packages}/cometd/cometd.js`,
    },
  },
  cacheDir: `${packages}/.vite`,
  test: {
    include: process.env.BENCH ? ["**/*.bench.ts"] : ["**/*.test.ts"],
    environment: "node",
    // A server and a browser a file: more at a time would only slow each other down.
    fileParallelism: false,
    // A machine that others share may starve a browser: then one more try, which the report names.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 40_000,
    teardownTimeout: 15_000,
  },
});
