// The anywidget front end of RunCard: one store per model, any number of views on it.
import { render as mount } from "preact";
import type { Message, RunInfo, Snapshot } from "./frames";
import { RunStore } from "./store";
import { Card } from "./view";
import { type Looks, LOOKS } from "../shared/looks";

interface Model {
  get(name: "run"): RunInfo;
  get(name: "url" | "snapshot"): string;
  get(name: "looks"): Looks;
  on(event: string, callback: (...args: any[]) => void): void;
  off(event: string, callback: (...args: any[]) => void): void;
  send(content: unknown): void;
}

/** What a view reads: the store, and a call whenever it has changed, with the tasks that have. */
export interface Feed {
  store: RunStore;
  subscribe(changed: Changed): () => void;
}

export type Changed = (indices: Set<number>) => void;

function follow(model: Model): Feed & { stop(): void } {
  const store = new RunStore(model.get("run"), Date.now());
  const listeners = new Set<Changed>();
  let asked = false;
  const resync = () => {
    if (!asked) model.send({ kind: "resync" });
    asked = true;
  };
  const changed = () => {
    const indices = store.takeDirty();
    listeners.forEach((listener) => listener(indices));
  };
  const onMessage = (message: Message, buffers: DataView[] = []) => {
    if (!store.apply(message, buffers, Date.now())) resync();
    changed();
  };
  const onSnapshot = () => {
    const text = model.get("snapshot");
    if (text) store.load(JSON.parse(text) as Snapshot, Date.now());
    asked = false;
    changed();
  };
  const onRun = () => {
    store.run = model.get("run");
    store.heard = Date.now();
    changed();
  };
  model.on("msg:custom", onMessage);
  model.on("change:snapshot", onSnapshot);
  model.on("change:run", onRun);
  onSnapshot();
  return {
    store,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => {
      model.off("msg:custom", onMessage);
      model.off("change:snapshot", onSnapshot);
      model.off("change:run", onRun);
    },
  };
}

export default () => {
  let feed: ReturnType<typeof follow> | undefined;
  return {
    initialize({ model }: { model: Model }) {
      feed = follow(model);
      return () => feed?.stop();
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      feed ??= follow(model);
      const looks = { ...LOOKS, ...model.get("looks") };
      mount(<Card feed={feed} looks={looks} url={model.get("url")} />, el);
      return () => mount(null, el);
    },
  };
};
