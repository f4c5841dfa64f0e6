// Bundles the products of src/ into the Python packages that ship them.
import { build, context } from "esbuild";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const card = join(here, "orion_nb_widgets/static");
const dashboard = join(here, "../server_extension/orion_nb_server/static");

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
];

// The most each product may weigh over the wire, gzipped, script and style together.
const budgets = { "orion-card": 14_000, "orion-dashboard": 50_000, "orion-docs": 20_000 };

function weigh(folder, stem) {
  const sizes = ["js", "css"].map((ext) => {
    const path = join(folder, `${stem}.${ext}`);
    return [statSync(path).size, gzipSync(readFileSync(path), { level: 9 }).length];
  });
  const [raw, gzipped] = [0, 1].map((i) => sizes[0][i] + sizes[1][i]);
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
}
