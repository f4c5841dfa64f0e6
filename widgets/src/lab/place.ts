// What the panel and the tabs both need to know: the server there is, and the notebook in front.
import { signal } from "@preact/signals";

export interface Server {
  /** whether the server's half of orion_nb is there, is not, or could not start */
  state: "ready" | "missing" | "trouble";
  says: string;
}

export const server = signal<Server>({ state: "missing", says: "" });
/** the path of the notebook that is looked at, from the server's root folder; "" if it is none */
export const notebook = signal("");
/** the server's root folder; "" if it isn't told */
export const root = signal("");

/** The path of that notebook as runs know it. */
export function wholePath(): string {
  return root.value && notebook.value ? `${root.value.replace(/\/$/, "")}/${notebook.value}` : notebook.value;
}
