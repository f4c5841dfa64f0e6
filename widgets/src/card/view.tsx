// The card of one run: header, bar of states, and its tasks as a table or, when many, as a grid.
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Feed } from "./index";
import type { Row } from "./frames";
import { type RunStore, summary } from "./store";
import { Actions } from "./actions";
import { GridView } from "./grid_view";
import { Glyph } from "../shared/icon";
import { isTerminal, lookOf, type Looks, words } from "../shared/looks";
import { isDark, watchTheme } from "../shared/theme";
import { absolute, duration } from "../shared/times";

export interface Shown {
  feed: Feed;
  looks: Looks;
}

/** More tasks than this are drawn as cells. */
export const LISTED = 60;
const SPOKEN_EVERY = 5000;

export function Card({ feed, looks, url }: Shown & { url: string }) {
  const { store } = feed;
  const root = useRef<HTMLElement>(null);
  const [theme, setTheme] = useState("light");
  useFrames(feed);
  useSecond(!isTerminal(store.run.state.type));
  useLayoutEffect(() => {
    const look = () => root.current && setTheme(isDark(root.current) ? "dark" : "light");
    // A host may attach us later than it renders us; only then is there a ground to look at.
    const attached = new ResizeObserver(look);
    attached.observe(root.current!);
    const stop = watchTheme(look);
    return () => {
      attached.disconnect();
      stop();
    };
  }, []);
  return (
    <section class="orion-card" data-theme={theme} ref={root} aria-label={`Run ${store.run.name} ${store.run.short}`}>
      <Header store={store} looks={looks} url={url} />
      {store.size > 0 && <Bar store={store} looks={looks} />}
      {store.size > LISTED ? (
        <GridView feed={feed} looks={looks} theme={theme} />
      ) : (
        store.size > 0 && <TaskTable rows={listed(store)} store={store} looks={looks} />
      )}
      <Spoken feed={feed} />
    </section>
  );
}

/** Renders again after a change, at most once per painted frame. */
function useFrames(feed: Feed): void {
  const [, render] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    let frame = 0;
    const stop = feed.subscribe(() => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        render(0);
      });
    });
    render(0);
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [feed]);
}

function useSecond(running: boolean): void {
  const [, render] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => render(0), 1000);
    return () => clearInterval(timer);
  }, [running]);
}

/** Now by the kernel's clock, ms. */
function kernelNow(store: RunStore): number {
  return store.run.now + Date.now() - store.heard;
}

const GOING_ON = new Set(["RUNNING", "PAUSED", "CANCELLING"]);

/** How long it took, or has been going on; nothing while it waits. */
function spent(store: RunStore, type: string, started: number | null, ended: number | null): string {
  if (started === null) return "";
  if (ended !== null) return duration(ended - started);
  return GOING_ON.has(type) ? duration(kernelNow(store) - started, true) : "";
}

function Header({ store, looks, url }: { store: RunStore; looks: Looks; url: string }) {
  const { run } = store;
  const done = store.count("COMPLETED", "FAILED", "CRASHED", "CANCELLED");
  const safe = /^(https?:\/\/|\/)/.test(url) ? url : "";
  return (
    <header class="orion-head">
      <span class="orion-state">
        <Glyph look={lookOf(run.state.type, run.state.name, looks)} size={18} />
        {words(run.state.name)}
      </span>
      <span class="orion-name">
        {safe ? (
          <a href={safe} target="_blank" rel="noreferrer" title={run.id}>
            {run.name}
          </a>
        ) : (
          <span title={run.id}>{run.name}</span>
        )}
        <code>{run.short}</code>
      </span>
      <span class="orion-facts">
        {run.state.message && isTerminal(run.state.type) && (
          <span class="orion-message" title={run.state.message}>
            {run.state.message}
          </span>
        )}
        {store.size > 0 && (
          <span>
            {done.toLocaleString("en")}/{store.size.toLocaleString("en")} done
          </span>
        )}
        <span class="orion-time" title={run.started ? `started ${absolute(run.started)}` : ""}>
          {spent(store, run.state.type, run.started, run.ended)}
        </span>
      </span>
      <Actions store={store} />
    </header>
  );
}

/** States of the tasks in an order that does not jump about: done, bad, going on, to come. */
const ORDER = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING", "RUNNING", "PAUSED", "SCHEDULED", "PENDING"];

function Bar({ store, looks }: { store: RunStore; looks: Looks }) {
  const parts = store.states
    .map((state, code) => ({ ...state, count: store.counts[code] ?? 0 }))
    .filter((part) => part.count > 0)
    .sort((a, b) => ORDER.indexOf(a.type) - ORDER.indexOf(b.type));
  return (
    <div class="orion-progress">
      <div class="orion-bar" aria-hidden="true">
        {parts.map((part) => {
          const look = lookOf(part.type, part.name, looks);
          const style = `flex-grow:${part.count};--orion-light:${look.light};--orion-dark:${look.dark}`;
          return <span key={part.name} class="orion-part" data-type={part.type} style={style} />;
        })}
      </div>
      <ul class="orion-counts">
        {parts.map((part) => (
          <li key={part.name}>
            <Glyph look={lookOf(part.type, part.name, looks)} size={12} />
            <b>{part.count.toLocaleString("en")}</b> {words(part.name).toLowerCase()}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What needs looking at comes first: going on, then bad, then to come; what is done last. */
const RANK = ["RUNNING", "CANCELLING", "FAILED", "CRASHED", "SCHEDULED", "PAUSED", "PENDING"];

function listed(store: RunStore): Row[] {
  const order = (row: Row) => (RANK.includes(row[2]) ? RANK.indexOf(row[2]) : RANK.length);
  const rows = Array.from({ length: store.size }, (_, index) => rowOf(store, index));
  return rows.sort((a, b) => order(a) - order(b) || a[0] - b[0]);
}

/** What is known of a task, in full where its row has come. */
export function rowOf(store: RunStore, index: number): Row {
  const state = store.stateAt(index);
  return (
    store.rows.get(index) ??
    [index, store.nameAt(index), state?.type ?? "PENDING", state?.name ?? "Pending", 0, null, null, ""]
  );
}

export function TaskTable({ rows, store, looks }: { rows: Row[]; store: RunStore; looks: Looks }) {
  return (
    <div class="orion-scroll" tabIndex={0} role="group" aria-label="Tasks">
      <table class="orion-tasks">
        <thead>
          <tr>
            {["Task", "State", "Took", "Message"].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TaskRow key={row[0]} row={row} store={store} looks={looks} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TaskRow({ row, store, looks }: { row: Row; store: RunStore; looks: Looks }) {
  const [, name, type, state, attempt, started, ended, message] = row;
  return (
    <tr data-type={type}>
      <th scope="row" title={name}>
        {name}
      </th>
      <td class="orion-word">
        <Glyph look={lookOf(type, state, looks)} size={14} />
        {words(state)}
        {attempt > 1 && <small>attempt {attempt}</small>}
      </td>
      <td class="orion-took">{spent(store, type, started, ended)}</td>
      <td class="orion-message" title={message}>
        {message}
      </td>
    </tr>
  );
}

/** Tells a screen reader how far the run is, at most every five seconds and once at the end. */
function Spoken({ feed }: { feed: Feed }) {
  const { store } = feed;
  const [text, setText] = useState("");
  const last = useRef(0);
  const ended = isTerminal(store.run.state.type);
  useEffect(() => {
    const now = Date.now();
    if (!ended && now - last.current < SPOKEN_EVERY) return;
    last.current = now;
    setText(`${store.run.name} ${words(store.run.state.name)}: ${summary(store)}`);
  });
  return (
    <p class="orion-spoken" role="status">
      {text}
    </p>
  );
}
