// Loads a TypeScript module of widgets/src as node would a module of its own.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const widgets = join(dirname(fileURLToPath(import.meta.url)), "../../widgets");
const { build } = createRequire(join(widgets, "package.json"))("esbuild");

export async function load(path) {
  const { outputFiles } = await build({
    absWorkingDir: widgets,
    entryPoints: [join("src", path)],
    bundle: true,
    format: "esm",
    write: false,
    jsx: "automatic",
    jsxImportSource: "preact",
  });
  const source = Buffer.from(outputFiles[0].contents).toString("base64");
  return import(`data:text/javascript;base64,${source}`);
}
