// The dashboard in tabs of the main area: one a run, and one for all else.
import { connection } from "../dashboard/connection";
import type { Application, Modules, Restorer, Tracker, Widget } from "./host";

/** A tab, and where in the dashboard it is: the part of the address after `#`. */
interface Tab extends Widget {
  place: string;
}

export const OPEN = "orion-nb:open";

export class Tabs {
  private tracker: Tracker<Tab>;
  private made = 0;

  constructor(
    private modules: Modules,
    private app: Application,
    private icon: unknown,
    /** the application has a main area with tabs; else the browser's tabs are used */
    private hasTabs: boolean,
  ) {
    this.tracker = new modules["@jupyterlab/apputils"].WidgetTracker<Tab>({ namespace: "orion-nb" });
  }

  /** A tab shows this place; `where` is an address of the dashboard, or the part of it after `#`. */
  open(where: string): void {
    const place = placeOf(where);
    if (!this.hasTabs) return void window.open(connection.home + place, "_blank");
    const tab = this.tracker.find((each) => each.place === place) ?? this.reused(place) ?? this.make(place);
    if (!tab.isAttached) this.app.shell.add(tab, "main");
    this.app.shell.activateById(tab.id);
  }

  restoreWith(restorer: Restorer): void {
    const args = ({ place }: Tab) => ({ place });
    void restorer.restore(this.tracker, { command: OPEN, args, name: ({ place }) => place });
  }

  /** The tab of the dashboard goes there, if there is one and it is no run's place. */
  private reused(place: string): Tab | undefined {
    if (place.startsWith("#/runs/")) return undefined;
    const tab = this.tracker.find((each) => !each.place.startsWith("#/runs/"));
    const frame = tab?.node.querySelector("iframe");
    if (frame?.contentWindow) frame.contentWindow.location.hash = place;
    return tab;
  }

  private make(place: string): Tab {
    const { MainAreaWidget } = this.modules["@jupyterlab/apputils"];
    const { Widget } = this.modules["@lumino/widgets"];
    const frame = document.createElement("iframe");
    frame.title = "Orion";
    const node = document.createElement("div");
    node.className = "orion-frame";
    node.append(frame);

    class Page extends Widget {
      onActivateRequest(): void {
        frame.contentWindow?.focus();
      }
    }

    const tab = new MainAreaWidget({ content: new Page({ node }) }) as unknown as Tab;
    tab.id = `orion-nb-tab-${(this.made += 1)}-${Date.now()}`;
    tab.place = place;
    Object.assign(tab.title, { label: "Orion", caption: "The dashboard of orion_nb", icon: this.icon, closable: true });
    frame.addEventListener("load", () => this.follow(tab, frame));
    frame.src = connection.home + place;
    void this.tracker.add(tab);
    return tab;
  }

  /** The tab is called as the page in it, and is found again where that has gone to. */
  private follow(tab: Tab, frame: HTMLIFrameElement): void {
    const inside = frame.contentWindow;
    const page = inside?.document;
    if (!inside || !page?.head) return;
    const named = () => {
      tab.title.label = page.title.replace(/ · Orion$/, "") || "Orion";
    };
    const moved = () => {
      tab.place = placeOf(inside.location.hash || "#/");
      if (!tab.isDisposed) void this.tracker.save(tab);
    };
    named();
    new MutationObserver(named).observe(page.head, { subtree: true, childList: true, characterData: true });
    inside.addEventListener("hashchange", moved);
    // The shortcuts of the application work in the frame as around it.
    inside.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || !(event.ctrlKey || event.altKey || event.metaKey)) return;
      if (!frame.dispatchEvent(new KeyboardEvent(event.type, event))) event.preventDefault();
    });
  }
}

/** `#/runs/1` of `http://host/orion/#/runs/1`; what is no place is the dashboard's first page. */
function placeOf(where: string): string {
  const at = where.indexOf("#/");
  return at < 0 ? "#/" : where.slice(at);
}
