// The container that JupyterLab loads: module federation by hand, so that no package of Jupyter's is
// needed to build it. JupyterLab calls `init` with what everybody shares, and then `get`.
import type { Modules } from "./host";
import { NEEDED, WANTED } from "./host";
import { pluginOf } from "./plugin";

interface Offer {
  get(): Promise<() => unknown>;
  from?: string;
  loaded?: boolean | number;
  lib?: () => unknown;
}

type Scope = Record<string, Record<string, Offer>>;

let shared: Scope = {};

/** A module of the application; another extension may offer a copy of its own, which is none. */
async function taken(name: string): Promise<unknown> {
  const offers = Object.values(shared[name] ?? {});
  const offer = offers.find(({ from }) => from?.startsWith("CORE")) ?? offers.find(({ loaded }) => loaded) ?? offers[0];
  return offer && (await offer.get())();
}

async function modules(): Promise<Modules> {
  const names = [...NEEDED, ...WANTED];
  const found = await Promise.all(names.map(taken));
  const missing = NEEDED.filter((_, at) => !found[at]);
  if (missing.length) throw new Error(`This application does not share ${missing.join(", ")}`);
  return Object.fromEntries(names.map((name, at) => [name, found[at]])) as unknown as Modules;
}

const container = {
  init: (scope: Scope) => {
    shared = scope;
  },
  get: async (name: string) => {
    if (name !== "./extension") throw new Error(`orion-nb has no module ${name}`);
    const plugins = [pluginOf(await modules())];
    return () => ({ __esModule: true, default: plugins });
  },
};

declare global {
  interface Window {
    _JUPYTERLAB?: Record<string, typeof container>;
  }
}

(window._JUPYTERLAB ??= {})["orion-nb"] = container;
