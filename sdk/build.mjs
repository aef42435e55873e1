/**
 * Bundles the SDK and the pages: `node sdk/build.mjs --out DIR [--check] [--types]`.
 *
 *   DIR/sdk/{visitor,agent}.js            modules
 *   DIR/sdk/topics.js                     module for either side
 *   DIR/sdk/cobrowse.js                   module that the visitor's side loads for a session
 *   DIR/sdk/chat.js                       module for chat, beside the visitor's or the agent's
 *   DIR/sdk/genesys.js                    module for agents' desktops that speak as to Genesys
 *   DIR/sdk/{visitor,agent}.classic.js    classic scripts, global `Vestibule`
 *   DIR/facades/glance/Presence*.js       classic scripts, global `GLANCE`
 *   DIR/facades/glance/Terms.js           module that the visitor's one loads for the terms
 *   DIR/facades/upscope/upscope.js        classic script, global `Upscope`
 *   DIR/facades/oracle/launcher.js        classic script, global `Cobrowse`; the server fills in the site
 *   DIR/facades/oracle/panel.js           module that it loads when there is something to see
 *   DIR/facades/channelme/site_connect.js classic script, global `site_connect`
 *   DIR/pages/**                          files of sdk/pages; name.entry.ts becomes name.js
 *   DIR/types/**                          declarations, with --types
 *
 * `--check` checks the types first. Writes nothing outside DIR. Exits with 1 and says why on failure.
 */

import { spawnSync } from "node:child_process";
import { copyFile, mkdir, readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(fileURLToPath(import.meta.url));
const asset = /\.(html|css|svg|png|json)$/;
const entry = /\.entry\.ts$/;

/** Style sheets inside scripts lose what only their readers need. */
const dense = {
  name: "dense style",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/](look|style)\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replace(/`[^`]*`/g, (css) => css.replace(/\s*\n\s*/g, "").replace(/\s*([{:;,])\s+/g, "$1").replace(/;}/g, "}"));
      return { contents, loader: "ts" };
    });
  },
};

/** Writes everything below `out`; rejected when a file does not compile. */
export async function build(out) {
  const { build: bundle } = await import("esbuild");
  const common = {
    absWorkingDir: root,
    bundle: true,
    minify: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    plugins: [dense],
    // Only what is said here: a configuration file above DIR or the repository changes nothing.
    tsconfigRaw: { compilerOptions: { target: "ES2020", useDefineForClassFields: false } },
  };
  const module = { ...common, format: "esm", target: "es2020" };
  const classic = { ...common, format: "iife", target: "es2020" };
  const pages = await pageFiles();
  await Promise.all([
    bundle({
      ...module,
      entryPoints: { visitor: "visitor/index.ts", agent: "agent/index.ts", cobrowse: "cobrowse/index.ts", topics: "core/topics.ts", chat: "chat.ts" },
      outdir: join(out, "sdk"),
    }),
    bundle({
      ...module,
      entryPoints: { genesys: "facades/genesys/index.ts" },
      outdir: join(out, "sdk"),
      banner: { js: "/* With CometD, Copyright (c) 2008 the original author or authors, Apache License 2.0 */" },
    }),
    bundle({
      ...classic,
      entryPoints: { "visitor.classic": "visitor/classic.ts", "agent.classic": "agent/classic.ts" },
      outdir: join(out, "sdk"),
    }),
    bundle({
      ...classic,
      entryPoints: ["facades/glance/PresenceVisitor.ts", "facades/glance/PresenceAgent.ts"],
      outdir: join(out, "facades/glance"),
    }),
    bundle({ ...module, entryPoints: ["facades/glance/Terms.ts"], outdir: join(out, "facades/glance") }),
    bundle({ ...classic, entryPoints: ["facades/upscope/upscope.ts"], outdir: join(out, "facades/upscope") }),
    bundle({ ...classic, entryPoints: ["facades/channelme/site_connect.ts"], outdir: join(out, "facades/channelme") }),
    bundle({ ...classic, entryPoints: ["facades/oracle/launcher.ts"], outdir: join(out, "facades/oracle") }),
    bundle({ ...module, entryPoints: ["facades/oracle/panel.ts"], outdir: join(out, "facades/oracle") }),
    bundlePages(bundle, module, pages, out),
    ...pages.filter((file) => asset.test(file)).map((file) => copyPage(file, out)),
  ]);
}

async function bundlePages(bundle, module, pages, out) {
  const entryPoints = pages
    .filter((file) => entry.test(file))
    .map((file) => ({ in: join("pages", file), out: file.replace(entry, "") }));
  if (entryPoints.length) await bundle({ ...module, entryPoints, outdir: join(out, "pages") });
}

async function copyPage(file, out) {
  const target = join(out, "pages", file);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(join(root, "pages", file), target);
}

/** Paths of all files below sdk/pages, relative to it; none when there is no such folder. */
async function pageFiles() {
  const folder = join(root, "pages");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return entries
    .filter((file) => file.isFile())
    .map((file) => relative(folder, join(file.parentPath ?? file.path, file.name)));
}

function typescript(...options) {
  const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [compiler, ...options], { stdio: "inherit" });
  if (status !== 0) throw new Error("the types do not check");
}

async function main() {
  const { values } = parseArgs({
    options: { out: { type: "string" }, check: { type: "boolean" }, types: { type: "boolean" } },
  });
  if (!values.out) throw new Error("usage: node build.mjs --out DIR [--check] [--types]");
  const out = resolve(values.out);
  if (values.check) typescript("-p", root, "--noEmit");
  await build(out);
  if (values.types) {
    typescript("-p", join(root, "tsconfig.types.json"), "--outDir", join(out, "types"));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main().catch((error) => {
    console.error(`sdk: ${error.message}`);
    process.exitCode = 1;
  });
}
