// Bundles the products of src/ into the Python packages that ship them.
import { build, context } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const card = join(here, "orion_nb_widgets/static");
const dashboard = join(here, "../server_extension/orion_nb_server/static");
const lab = join(here, "../server_extension/labextensions/orion-nb");

const shared = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  minify: true,
  target: ["es2022", "chrome100", "firefox100", "safari15.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  charset: "utf8",
  banner: {
    js: "/*! orion_nb, BSD-3-Clause. Contains Preact and Preact Signals, MIT, (c) Jason Miller and the Preact team. */",
  },
};

// A script of a page is no module: a browser asks for those as a script's `fetch` does, without the
// XSRF token, and a hub's server then takes no cookie. The card is imported, so it is one.
const page = { ...shared, format: "iife" };

const products = [
  { ...shared, entryPoints: { "orion-card": "src/card/index.tsx" }, outdir: card },
  { ...shared, entryPoints: { "orion-card": "src/card/card.css" }, outdir: card, banner: {} },
  { ...page, entryPoints: { "orion-dashboard": "src/dashboard/index.tsx" }, outdir: dashboard },
  {
    ...shared,
    entryPoints: { "orion-dashboard": "src/dashboard/dashboard.css" },
    outdir: dashboard,
    banner: {},
  },
  { ...page, entryPoints: { "orion-docs": "src/docs/index.tsx" }, outdir: dashboard },
  { ...shared, entryPoints: { "orion-docs": "src/docs/docs.css" }, outdir: dashboard, banner: {} },
  {
    ...page,
    entryPoints: { remoteEntry: "src/lab/container.ts" },
    outdir: join(lab, "static"),
    plugins: [{ name: "labextension", setup: (making) => (readStyles(making), making.onEnd(describe)) }],
  },
];

/** A style sheet that a script imports is a text in it: JupyterLab loads one file. */
function readStyles({ onLoad }) {
  onLoad({ filter: /\.css$/ }, async ({ path }) => {
    const { outputFiles } = await build({ ...shared, banner: {}, entryPoints: [path], write: false });
    return { contents: outputFiles[0].text, loader: "text", watchFiles: [path] };
  });
}

/** What JupyterLab reads beside the script; the digest in its address tells a new one from the old. */
function describe({ errors }) {
  if (errors.length) return;
  const entry = readFileSync(join(lab, "static/remoteEntry.js"));
  const digest = createHash("sha256").update(entry).digest("hex").slice(0, 16);
  const told = JSON.parse(readFileSync(join(here, "src/lab/package.json"), "utf8"));
  told.jupyterlab._build = { load: `static/remoteEntry.js?v=${digest}`, extension: "./extension" };
  writeFileSync(join(lab, "package.json"), `${JSON.stringify(told, null, 2)}\n`);
  const schemas = join(lab, "schemas/orion-nb");
  mkdirSync(schemas, { recursive: true });
  copyFileSync(join(here, "src/lab/schema.json"), join(schemas, "plugin.json"));
  copyFileSync(join(here, "src/lab/install.json"), join(lab, "install.json"));
}

// The most each product may weigh over the wire, gzipped, script and style together.
const budgets = { "orion-card": 14 * 1024, "orion-dashboard": 50_000, "orion-docs": 20_000, remoteEntry: 24_000 };

function weigh(folder, stem) {
  const paths = ["js", "css"].map((ext) => join(folder, `${stem}.${ext}`)).filter(existsSync);
  const raw = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  const gzipped = paths.reduce((sum, path) => sum + gzipSync(readFileSync(path), { level: 9 }).length, 0);
  const budget = budgets[stem];
  console.log(`${relative(join(here, ".."), folder)}/${stem}: ${raw} bytes, ${gzipped} gzipped (budget ${budget})`);
  if (gzipped > budget) throw new Error(`${stem} is over its budget of ${budget} bytes gzipped`);
}

for (const folder of [card, dashboard]) mkdirSync(folder, { recursive: true });
if (process.argv.includes("--watch")) {
  for (const product of products) await (await context(product)).watch();
} else {
  await Promise.all(products.map((product) => build(product)));
  weigh(card, "orion-card");
  weigh(dashboard, "orion-dashboard");
  weigh(dashboard, "orion-docs");
  weigh(join(lab, "static"), "remoteEntry");
}
