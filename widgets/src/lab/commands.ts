// The commands, and where they are found: the palette, the launcher; menus and toolbar are in schema.json.
import { hrefs } from "../dashboard/router";
import type { Application, FileBrowserFactory, Launcher, NotebookTracker, Palette } from "./host";
import { PANEL } from "./panel";
import { notebook, server } from "./place";
import { OPEN, type Tabs } from "./tabs";

export const SCHEDULE = "orion-nb:schedule";
export const SCHEDULE_SELECTED = "orion-nb:schedule-selected";
export const SHOW = "orion-nb:show-panel";
const CATEGORY = "Orion";

interface Given {
  app: Application;
  tabs: Tabs;
  icon: unknown;
  notebooks: NotebookTracker | undefined;
  files: FileBrowserFactory | undefined;
  palette: Palette | undefined;
  launcher: Launcher | undefined;
}

export function addCommands({ app, tabs, icon, notebooks, files, palette, launcher }: Given): void {
  const { commands } = app;
  const isReady = () => server.value.state === "ready";
  const selected = () => {
    const items = [...(files?.tracker.currentWidget?.selectedItems() ?? [])];
    const path = items.length === 1 && items[0]!.type === "notebook" ? items[0]!.path : "";
    return path && app.serviceManager.contents.localPath(path);
  };
  commands.addCommand(OPEN, {
    label: "Orion Dashboard",
    caption: "Runs and deployments of notebooks and flows",
    icon,
    isEnabled: isReady,
    execute: ({ place }) => tabs.open(typeof place === "string" ? place : "#/"),
  });
  commands.addCommand(SHOW, {
    label: "Show Runs and Deployments",
    execute: () => app.shell.activateById(PANEL),
  });
  commands.addCommand(SCHEDULE, {
    label: "Schedule…",
    caption: "Deploy this notebook, on a schedule or to be run when asked for",
    isEnabled: () => isReady() && !!notebooks?.currentWidget,
    execute: ({ path }) => tabs.open(hrefs.deploy(typeof path === "string" ? path : notebook.value)),
  });
  commands.addCommand(SCHEDULE_SELECTED, {
    label: "Schedule…",
    caption: "Deploy the selected notebook, on a schedule or to be run when asked for",
    icon,
    isVisible: isReady,
    isEnabled: () => !!selected(),
    execute: () => tabs.open(hrefs.deploy(selected())),
  });
  notebooks?.currentChanged.connect(() => commands.notifyCommandChanged(SCHEDULE));
  for (const command of [OPEN, SHOW, SCHEDULE]) palette?.addItem({ command, category: CATEGORY });
  launcher?.add({ command: OPEN, category: "Other", rank: 10 });
}
