import { defineConfig } from "vitest/config";

export default defineConfig({
  // Tests of pages belong to whoever writes pages; all lie beside their code.
  test: { include: ["**/*.test.ts"], exclude: ["node_modules/**"], environment: "node" },
});
