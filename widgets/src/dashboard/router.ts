// Where we are, from the part of the address after `#`.
import { signal } from "@preact/signals";
import { connection } from "./connection";

export interface Place {
  page: "runs" | "run" | "deployments" | "deployment" | "logs" | "artifacts" | "limits" | "notifications" | "secrets" | "lost";
  id: string;
  query: URLSearchParams;
}

export function parsePlace(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  const query = new URLSearchParams(search);
  if (parts.length === 0 || (parts[0] === "runs" && parts.length === 1)) return { page: "runs", id: "", query };
  if (parts[0] === "runs" && parts.length === 2) return { page: "run", id: parts[1]!, query };
  if (parts[0] === "deployments" && parts.length === 2) return { page: "deployment", id: parts[1]!, query };
  const lists = ["deployments", "logs", "artifacts", "limits", "notifications", "secrets"] as const;
  const list = parts.length === 1 && lists.find((each) => each === parts[0]);
  if (list) return { page: list, id: "", query };
  return { page: "lost", id: "", query };
}

/** The text, decoded; as it is when it is no encoding. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const place = signal<Place>(parsePlace(typeof location === "undefined" ? "" : location.hash));

let moved = false;

export function startRouter(): void {
  addEventListener("hashchange", () => {
    moved = true;
    place.value = parsePlace(location.hash);
  });
}

/** After going to another page, its heading has the focus, so that it is read and Tab goes on from it. */
export function focusHeading(): void {
  const heading = document.querySelector<HTMLElement>("main h1");
  if (moved) heading?.focus({ preventScroll: true });
}

/** Changes the address without a new entry in the history. */
export function replaceHash(hash: string): void {
  history.replaceState(null, "", hash);
  place.value = parsePlace(hash);
}

/** The addresses of places in the dashboard, from wherever they are asked for. */
export const hrefs = {
  runs: (filter = "") => `${connection.home}${filter ? `#/?q=${encodeURIComponent(filter)}` : "#/"}`,
  deployments: () => `${connection.home}#/deployments`,
  /** the form that deploys the notebook or the flow at `path` */
  deploy: (path: string) => `${connection.home}#/deployments?deploy=${encodeURIComponent(path)}`,
  deployment: (name: string) => `${connection.home}#/deployments/${encodeURIComponent(name)}`,
  run: (id: string, task = "") => `${connection.home}#/runs/${id}${task ? `?task=${task}` : ""}`,
};
