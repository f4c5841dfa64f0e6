// Many tasks: a canvas of cells, a line about the one pointed at, and a table of those that need eyes.
import { useEffect, useRef, useState } from "preact/hooks";
import { rowOf, TaskTable, type Shown } from "./view";
import type { Row } from "./frames";
import type { RunStore } from "./store";
import { Grid, step } from "../shared/grid";
import { lookOf, words } from "../shared/looks";
import { duration } from "../shared/times";

const SHOWN = 8;

export function GridView({ feed, looks, theme }: Shown & { theme: string }) {
  const { store } = feed;
  const canvas = useRef<HTMLCanvasElement>(null);
  const grid = useRef<Grid>(null);
  const [chosen, setChosen] = useState(-1);
  const [hovered, setHovered] = useState(-1);
  useEffect(() => {
    const look = (code: number) => {
      const state = store.states[code];
      return state && lookOf(state.type, state.name, looks);
    };
    const made = (grid.current = new Grid(canvas.current!, store, look));
    made.paint(store);
    let frame = 0;
    let pending: Set<number>[] = [];
    const stop = feed.subscribe((indices) => {
      pending.push(indices);
      frame ||= requestAnimationFrame(() => {
        for (const some of pending) made.paint(store, some);
        frame = 0;
        pending = [];
      });
    });
    const resized = new ResizeObserver(() => made.repaint());
    resized.observe(canvas.current!.parentElement!);
    return () => {
      stop();
      resized.disconnect();
      cancelAnimationFrame(frame);
    };
  }, [feed, theme]);
  useEffect(() => grid.current?.select(chosen), [chosen]);

  const told = hovered >= 0 ? hovered : chosen;
  const onKeyDown = (event: KeyboardEvent) => {
    const columns = grid.current?.layout.columns ?? 1;
    const to = step(event.key, Math.max(chosen, 0), store.size, columns);
    if (event.key === "Escape") setChosen(-1);
    else if (to !== chosen && (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End")) {
      setChosen(chosen < 0 ? 0 : to);
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const under = (event: MouseEvent) => grid.current?.find(event.offsetX, event.offsetY) ?? -1;
  const attention = needingEyes(store);
  const option = useRef(`orion-${Math.random().toString(36).slice(2)}`).current;
  return (
    <>
      <div
        class="orion-grid"
        role="listbox"
        tabIndex={0}
        aria-label={`${store.size} tasks, arrow keys move`}
        aria-activedescendant={chosen >= 0 ? option : undefined}
        onKeyDown={onKeyDown}
      >
        <canvas
          ref={canvas}
          aria-hidden="true"
          onMouseMove={(event) => setHovered(under(event))}
          onMouseLeave={() => setHovered(-1)}
          onClick={(event) => setChosen(under(event))}
        />
        <span
          id={option}
          class="orion-spoken"
          role="option"
          aria-selected={chosen >= 0}
          aria-setsize={store.size}
          aria-posinset={Math.max(chosen, 0) + 1}
        >
          {sentence(rowOf(store, Math.max(chosen, 0)))}
        </span>
      </div>
      <p class="orion-told">{told >= 0 ? sentence(rowOf(store, told)) : "Point at a cell, or use the arrow keys."}</p>
      {attention.length > 0 && <TaskTable rows={attention} store={store} looks={looks} />}
    </>
  );
}

/** Failed tasks first, then those running. */
function needingEyes(store: RunStore): Row[] {
  const failed: Row[] = [];
  const running: Row[] = [];
  for (const row of store.rows.values()) {
    if (row[2] === "FAILED" || row[2] === "CRASHED") failed.push(row);
    else if (row[2] === "RUNNING" && running.length < SHOWN) running.push(row);
  }
  return failed.slice(-SHOWN).concat(running).slice(0, SHOWN);
}

function sentence([index, name, , state, attempt, started, ended, message]: Row): string {
  const parts = [`#${index + 1} ${name}`, words(state).toLowerCase()];
  if (attempt > 1) parts.push(`attempt ${attempt}`);
  if (started !== null && ended !== null) parts.push(duration(ended - started));
  if (message) parts.push(message);
  return parts.join(" · ");
}
