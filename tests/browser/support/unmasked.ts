/** A recorder whose masking is switched off, to show what holds without it. */

import { createRequire } from "node:module";
import { resolve } from "node:path";

const sdk = resolve(import.meta.dirname, "../../../sdk");

/** In place of the modules that mask. */
const replacements: Record<string, string> = {
  "masking/event.ts": `export const masked = (event) => event;`,
  "masking/text.ts": `export const blot = (text) => text; export const scrub = blot; export const scrubTyped = blot; export const isCard = () => false;`,
};

/** Text of the bundle. */
export async function unmaskedBundle(): Promise<string> {
  const { build } = createRequire(`${sdk}/package.json`)("esbuild") as typeof import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: sdk,
    entryPoints: ["cobrowse/index.ts"],
    bundle: true,
    write: false,
    format: "esm",
    plugins: [
      {
        name: "unmasked",
        setup({ onLoad }) {
          for (const [path, contents] of Object.entries(replacements)) {
            onLoad({ filter: new RegExp(`cobrowse/${path.replace(".", "\\.")}$`) }, () => ({ contents, loader: "js" as const }));
          }
        },
      },
    ],
  });
  return outputFiles[0]?.text ?? "";
}
