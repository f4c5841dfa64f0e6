// The panel in the left sidebar: what is shown while it is seen, and nothing while it is not.
import { render } from "preact";
import { isDark, watchTheme } from "../shared/theme";
import type { Application, Modules, Restorer } from "./host";
import { Sidebar } from "./sidebar";
import styles from "./lab.css";

export const PANEL = "orion-nb-panel";

export function addPanel(modules: Modules, app: Application, icon: unknown, restorer: Restorer | undefined, isLab: boolean): void {
  const sheet = document.createElement("style");
  sheet.textContent = styles;
  document.head.append(sheet);
  const node = document.createElement("div");
  const { Widget } = modules["@lumino/widgets"];

  class Panel extends Widget {
    onAfterAttach(): void {
      if (this.isVisible) this.onAfterShow();
    }
    onAfterShow(): void {
      render(<Sidebar onOpen={(href) => void app.commands.execute("orion-nb:open", { place: href })} />, node);
    }
    onAfterHide(): void {
      render(null, node);
    }
  }

  const panel = new Panel({ node });
  panel.id = PANEL;
  panel.addClass("orion-lab");
  Object.assign(panel.title, { caption: "orion_nb", icon, label: isLab ? "" : "Orion" });
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", "orion_nb");
  const paint = () => (node.dataset.theme = isDark(node) ? "dark" : "light");
  watchTheme(paint);
  app.shell.add(panel, "left", { rank: 600, type: "Orion" });
  restorer?.add(panel, PANEL);
  void app.restored.then(paint);
}
