// What we use of the application we are loaded into, as far as we use it. Its packages are no
// dependency: they are shared at run time.

export interface Signal<Sender, Args = unknown> {
  connect(slot: (sender: Sender, args: Args) => void): void;
}

export interface Title {
  label: string;
  caption: string;
  icon: unknown;
  closable: boolean;
}

export interface Widget {
  id: string;
  node: HTMLElement;
  title: Title;
  isDisposed: boolean;
  isAttached: boolean;
  isVisible: boolean;
  disposed: Signal<Widget>;
  addClass(name: string): void;
  dispose(): void;
}

interface Command {
  label: string;
  caption?: string;
  icon?: unknown;
  isEnabled?(): boolean;
  isVisible?(): boolean;
  execute(args: Record<string, unknown>): unknown;
}

export interface Application {
  restored: Promise<unknown>;
  commands: {
    addCommand(id: string, command: Command): unknown;
    execute(id: string, args?: Record<string, unknown>): Promise<unknown>;
    notifyCommandChanged(id: string): void;
  };
  shell: {
    add(widget: Widget, area: string, options?: object): void;
    activateById(id: string): void;
  };
  serviceManager: {
    serverSettings: ServerSettings;
    contents: { localPath(path: string): string };
  };
}

export interface ServerSettings {
  baseUrl: string;
  wsUrl: string;
  token: string;
  appendToken: boolean;
}

export interface Tracker<T extends Widget> {
  add(widget: T): Promise<void>;
  save(widget: T): Promise<void>;
  find(test: (widget: T) => boolean): T | undefined;
  forEach(each: (widget: T) => void): void;
}

export interface Document extends Widget {
  context: { path: string; pathChanged: Signal<unknown, string> };
}

export interface NotebookTracker {
  currentWidget: Document | null;
  currentChanged: Signal<unknown, Document | null>;
}

export interface FileBrowserFactory {
  tracker: { currentWidget: { selectedItems(): Iterable<{ path: string; type: string }> } | null };
}

export interface SettingRegistry {
  load(id: string): Promise<{ composite: Record<string, unknown>; changed: Signal<unknown> }>;
}

export interface Restorer {
  add(widget: Widget, name: string): void;
  restore<T extends Widget>(
    tracker: Tracker<T>,
    options: { command: string; args(widget: T): object; name(widget: T): string },
  ): Promise<unknown>;
}

export interface Launcher {
  add(item: { command: string; category: string; rank?: number }): unknown;
}

export interface Palette {
  addItem(item: { command: string; category: string }): unknown;
}

export type Kind = "error" | "warning" | "success" | "info";

type Token = object;

/** The modules by their names; those without a `?` are everywhere, the others in JupyterLab alone. */
export interface Modules {
  "@jupyterlab/application": { ILabShell: Token; ILayoutRestorer: Token };
  "@jupyterlab/apputils": {
    ICommandPalette: Token;
    MainAreaWidget: new (options: { content: Widget }) => Widget & { content: Widget };
    Notification: {
      emit(
        message: string,
        kind: Kind,
        options: { autoClose: number | false; actions: { label: string; callback(): void }[] },
      ): string;
    };
    WidgetTracker: new <T extends Widget>(options: { namespace: string }) => Tracker<T>;
  };
  "@jupyterlab/coreutils": { PageConfig: { getOption(name: string): string } };
  "@jupyterlab/services": {
    ServerConnection: { makeRequest(url: string, init: RequestInit, settings: ServerSettings): Promise<Response> };
  };
  "@jupyterlab/settingregistry": { ISettingRegistry: Token };
  "@jupyterlab/ui-components": { LabIcon: new (options: { name: string; svgstr: string }) => unknown };
  "@lumino/widgets": { Widget: new (options: { node: HTMLElement }) => Widget };
  "@jupyterlab/filebrowser"?: { IFileBrowserFactory: Token };
  "@jupyterlab/launcher"?: { ILauncher: Token };
  "@jupyterlab/notebook"?: { INotebookTracker: Token };
}

export const NEEDED = [
  "@jupyterlab/application",
  "@jupyterlab/apputils",
  "@jupyterlab/coreutils",
  "@jupyterlab/services",
  "@jupyterlab/settingregistry",
  "@jupyterlab/ui-components",
  "@lumino/widgets",
] as const;
export const WANTED = ["@jupyterlab/filebrowser", "@jupyterlab/launcher", "@jupyterlab/notebook"] as const;
