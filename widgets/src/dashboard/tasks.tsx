// The runs inside a run: a tree in a table, with a bar for when each one ran; cells when they are many.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { now } from "./live";
import { firstLine, RunState, Took } from "./parts";
import { hrefs } from "./router";
import { onTheme } from "./theme";
import type { Run } from "./types";
import { Grid } from "../shared/grid";
import { isTerminal, lookOf } from "../shared/looks";
import { duration } from "../shared/times";

export interface Branch {
  run: Run;
  depth: number;
}

/** The runs below `top` in the order they were made, each under its parent. */
export function tree(runs: Run[], top: string): Branch[] {
  const below = new Map<string, Run[]>();
  const known = new Set(runs.map((run) => run.id));
  for (const run of runs) {
    if (run.id === top) continue;
    // A run whose parent is on no loaded page is shown at the top rather than not at all.
    const parent = run.parent && (known.has(run.parent) || run.parent === top) ? run.parent : top;
    below.set(parent, [...(below.get(parent) ?? []), run]);
  }
  const branches: Branch[] = [];
  const walk = (id: string, depth: number) => {
    const children = (below.get(id) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const run of children) {
      branches.push({ run, depth });
      walk(run.id, depth + 1);
    }
  };
  walk(top, 0);
  return branches;
}

const GRID_FROM = 60;
const LISTED = 50;
const MORE = 200;

/** Where many are, those that need eyes come first: failed, then going on. */
function urgent(branches: Branch[]): Branch[] {
  const rank = ({ run }: Branch) => {
    if (run.state.type === "FAILED" || run.state.type === "CRASHED") return 0;
    return isTerminal(run.state.type) ? 2 : 1;
  };
  return branches.map((branch) => ({ ...branch, depth: 0 })).sort((a, b) => rank(a) - rank(b));
}

export function TaskTable({ top, branches, chosen }: { top: Run; branches: Branch[]; chosen: string }) {
  const from = top.start_time ?? top.created;
  const until = top.end_time ?? now.value * 1000;
  const [listed, list] = useState(LISTED);
  const many = branches.length > GRID_FROM;
  const rows = useMemo(() => (many ? urgent(branches).slice(0, listed) : branches), [branches, listed]);
  return (
    <>
      {many && <TaskGrid branches={branches} top={top} />}
      <div class="sheet">
        <table class="tasks stacks" role="table">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">Task</th>
              <th role="columnheader" scope="col" class="c-state">State</th>
              <th role="columnheader" scope="col" class="c-when">
                When <span class="quiet">0 – {duration((until - from) / 1000)}</span>
              </th>
              <th role="columnheader" scope="col" class="c-took">Took</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.map(({ run, depth }) => (
              <TaskRow key={run.id} run={run} depth={depth} top={top} from={from} until={until} chosen={run.id === chosen} />
            ))}
          </tbody>
        </table>
      </div>
      {rows.length < branches.length && (
        <div class="more">
          <span class="quiet">
            {rows.length} of {branches.length.toLocaleString("en")} listed, failed and running first.
          </span>
          <button type="button" onClick={() => list(listed + MORE)}>
            List more
          </button>
        </div>
      )}
    </>
  );
}

interface RowProps extends Branch {
  top: Run;
  from: number;
  until: number;
  chosen: boolean;
}

function TaskRow({ run, depth, top, from, until, chosen }: RowProps) {
  const message = firstLine(run.state.message ?? run.blocked?.reason ?? null);
  return (
    <tr role="row" aria-selected={chosen}>
      <th role="rowheader" scope="row" style={`--depth:${depth}`}>
        <a class="row-link" href={hrefs.run(top.id, run.id)} aria-current={chosen ? "true" : undefined}>
          {run.run_name ?? run.name}
        </a>
        {run.kind === "flow" && <a class="tag" href={hrefs.run(run.id)}>flow</a>}
        {message && (
          <span class="under" title={run.state.message ?? undefined}>
            {message}
          </span>
        )}
      </th>
      <td role="cell" class="c-state">
        <RunState run={run} size={15} />
        {run.attempt > 1 && <span class="under">{run.attempt} attempts</span>}
      </td>
      <td role="cell" class="c-when">
        <Span run={run} from={from} until={until} />
      </td>
      <td role="cell" class="c-took">
        <Took run={run} />
      </td>
    </tr>
  );
}

/** The bar from a run's start to its end, within the span of the whole run. */
function Span({ run, from, until }: { run: Run; from: number; until: number }) {
  if (run.start_time === null) return null;
  const whole = Math.max(1, until - from);
  const end = run.end_time ?? (isTerminal(run.state.type) ? run.start_time : until);
  const left = Math.min(99, Math.max(0, ((run.start_time - from) / whole) * 100));
  const width = Math.min(100 - left, Math.max(1, ((end - run.start_time) / whole) * 100));
  const look = lookOf(run.state.type, run.state.name);
  const style = `left:${left}%;width:${width}%;--orion-light:${look.light};--orion-dark:${look.dark}`;
  return (
    <span class="span" aria-hidden="true">
      <span class="orion-part" data-type={run.state.type} style={style} />
    </span>
  );
}

function TaskGrid({ branches, top }: { branches: Branch[]; top: Run }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const grid = useRef<Grid>(null);
  const runs = useRef(branches);
  runs.current = branches;
  useEffect(() => {
    const cells = { size: branches.length, codeAt: (index: number) => index };
    const look = (index: number) => {
      const state = runs.current[index]?.run.state;
      return state && lookOf(state.type, state.name);
    };
    grid.current = new Grid(canvas.current!, cells, look, 200);
    const resized = new ResizeObserver(() => grid.current?.repaint());
    resized.observe(canvas.current!.parentElement!);
    const stop = onTheme(() => grid.current?.repaint());
    return () => {
      resized.disconnect();
      stop();
    };
  }, []);
  useEffect(() => grid.current?.paint({ size: branches.length, codeAt: (index) => index }), [branches]);
  const under = (event: MouseEvent) => {
    const at = grid.current?.find(event.offsetX, event.offsetY) ?? -1;
    return runs.current[at]?.run;
  };
  return (
    <div class="cells">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${branches.length} tasks, one cell each; the table below lists them`}
        onMouseMove={(event) => {
          const run = under(event);
          event.currentTarget.title = run ? `${run.run_name ?? run.name}: ${run.state.name}` : "";
        }}
        onClick={(event) => {
          const run = under(event);
          if (run) location.hash = hrefs.run(top.id, run.id);
        }}
      />
    </div>
  );
}
