// The plugin: what JupyterLab gives us, and what it gets from us.
import { connect, xsrf } from "../dashboard/connection";
import { follow, startClock } from "../dashboard/live";
import { addCommands } from "./commands";
import type {
  Application, FileBrowserFactory, Launcher, Modules, NotebookTracker, Palette, Restorer, ServerSettings, SettingRegistry,
} from "./host";
import { icon } from "./icon";
import { addPanel } from "./panel";
import { notebook, root, type Server, server } from "./place";
import { Tabs } from "./tabs";
import { tellOfRuns } from "./toasts";

export const ID = "orion-nb:plugin";

/** What the application has for us; each may be missing. */
type Given = [unknown, Restorer?, Palette?, SettingRegistry?, NotebookTracker?, FileBrowserFactory?, Launcher?];

export function pluginOf(modules: Modules) {
  const { ILabShell, ILayoutRestorer } = modules["@jupyterlab/application"];
  const tokens = [
    ILabShell,
    ILayoutRestorer,
    modules["@jupyterlab/apputils"].ICommandPalette,
    modules["@jupyterlab/settingregistry"].ISettingRegistry,
    modules["@jupyterlab/notebook"]?.INotebookTracker,
    modules["@jupyterlab/filebrowser"]?.IFileBrowserFactory,
    modules["@jupyterlab/launcher"]?.ILauncher,
  ];
  // A token that is none would be refused: what isn't there is left out, and its place kept.
  const places = tokens.flatMap((token, at) => (token ? [at] : []));
  return {
    id: ID,
    description: "The runs and deployments of orion_nb.",
    autoStart: true,
    optional: places.map((at) => tokens[at]),
    activate: (app: Application, ...found: unknown[]) => {
      const given = tokens.map((_, at) => found[places.indexOf(at)] ?? undefined);
      activate(modules, app, given as Given);
    },
  };
}

function activate(modules: Modules, app: Application, given: Given): void {
  const [labShell, restorer, palette, settings, notebooks, files, launcher] = given;
  const { PageConfig } = modules["@jupyterlab/coreutils"];
  server.value = serverOf(PageConfig.getOption("orionNb"), PageConfig.getOption("orionNbTrouble"));
  root.value = PageConfig.getOption("orionNbRoot");
  reach(modules, app.serviceManager.serverSettings);
  const drawn = new modules["@jupyterlab/ui-components"].LabIcon({ name: "orion-nb:orion", svgstr: icon });
  const tabs = new Tabs(modules, app, drawn, !!labShell);
  addCommands({ app, tabs, icon: drawn, notebooks, files, palette, launcher });
  addPanel(modules, app, drawn, restorer, !!labShell);
  if (labShell && restorer) tabs.restoreWith(restorer);
  followNotebook(app, notebooks);
  if (server.value.state !== "ready") {
    console.info(`orion_nb: ${server.value.says}`);
    return;
  }
  startClock();
  follow();
  tellOfRuns(modules, settings?.load(ID), (href) => tabs.open(href));
}

function serverOf(found: string, trouble: string): Server {
  if (trouble) return { state: "trouble", says: trouble };
  return found
    ? { state: "ready", says: "" }
    : { state: "missing", says: "This Jupyter server does not have the extension orion_nb_server, or it is not enabled." };
}

/** The server is reached as the application reaches it: with its token, under its base URL. */
function reach(modules: Modules, settings: ServerSettings): void {
  const { baseUrl, wsUrl, token, appendToken } = settings;
  const { makeRequest } = modules["@jupyterlab/services"].ServerConnection;
  connect({
    api: `${baseUrl}orion/api/v1`,
    home: `${baseUrl}orion/`,
    by: "jupyterlab",
    fetch: (url, init) => makeRequest(url, init, settings),
    pass: () => ({ _xsrf: xsrf(document.cookie), ...(appendToken && token ? { token } : {}) }),
    socket: `${wsUrl}orion/api/v1/live`,
    only: { kind: "flow", top_level: true },
  });
}

/** Which notebook is looked at. */
function followNotebook(app: Application, notebooks: NotebookTracker | undefined): void {
  const local = (path: string) => app.serviceManager.contents.localPath(path);
  const look = () => {
    const path = notebooks?.currentWidget?.context.path;
    notebook.value = path ? local(path) : "";
  };
  notebooks?.currentChanged.connect((_, document) => {
    document?.context.pathChanged.connect(look);
    look();
  });
  look();
}
