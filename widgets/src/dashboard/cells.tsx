// The cells of a notebook's run: what each does, how long it took, and the one that failed.
import { useEffect } from "preact/hooks";
import { api } from "./api";
import { now } from "./live";
import { StateWord } from "./parts";
import { useQuery } from "./query";
import type { Cell, Cells as Told, Run } from "./types";
import { isTerminal, NAMES } from "../shared/looks";
import { duration } from "../shared/times";

const LOOK_MS = 1000;
const LISTED = 200;

/** What its cells do, looked at again while it runs: cells tell no events. */
export function useCells(run: Run): Told | null | undefined {
  const { data, reload } = useQuery(`cells ${run.id}`, () => api.cells(run.id), (event) => event.run === run.id);
  const runs = !isTerminal(run.state.type) && run.start_time !== null;
  useEffect(() => {
    if (!runs) return;
    const timer = setInterval(() => !document.hidden && reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, [runs]);
  return data;
}

export function isNotebook(run: Run): boolean {
  return run.kind === "flow" && !!run.key?.startsWith("notebook:");
}

export function Cells({ run, told }: { run: Run; told: Told }) {
  const shown = told.cells.slice(0, LISTED);
  const longest = Math.max(0.001, ...told.cells.map(({ seconds }) => seconds ?? 0));
  return (
    <>
      <p class="cells-head" role="status">
        <b>{told.cells.filter(({ end, start }) => end && start).length}</b> of {told.total} cells executed
        {told.left !== null && !isTerminal(run.state.type) && <> · about {duration(told.left * 1000)} left</>}
        {told.peak_memory !== null && <> · {bytes(told.peak_memory)} of memory at most</>}
      </p>
      <div class="sheet">
        <table class="cell-table stacks" role="table">
          <thead role="rowgroup">
            <tr role="row">
              <th scope="col" role="columnheader" class="c-number">
                In
              </th>
              <th scope="col" role="columnheader">Cell</th>
              <th scope="col" role="columnheader" class="c-state">State</th>
              <th scope="col" role="columnheader" class="c-took">Took</th>
              <th scope="col" role="columnheader" class="c-size">Output</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {shown.map((cell) => (
              <CellRow key={cell.index} cell={cell} run={run} told={told} longest={longest} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < told.cells.length && (
        <p class="quiet more">The first {LISTED} of {told.cells.length} are shown.</p>
      )}
    </>
  );
}

interface RowProps {
  cell: Cell;
  run: Run;
  told: Told;
  longest: number;
}

function CellRow({ cell, run, told, longest }: RowProps) {
  const failure = told.failure?.index === cell.index ? told.failure : null;
  const took = cell.state === "Running" && cell.start ? (now.value - cell.start / 1000) / 1000 : cell.seconds;
  const state = cell.state === "Running" && isTerminal(run.state.type) ? run.state.name : cell.state;
  return (
    <>
      <tr role="row">
        <td role="cell" class="c-number">{cell.number ?? ""}</td>
        <th role="rowheader" scope="row">
          <code>{cell.source || "(empty)"}</code>
          {cell.attempts > 1 && <span class="tag">{cell.attempts} attempts</span>}
        </th>
        <td role="cell" class="c-state">
          {cell.start || state === "Pending" ? (
            <StateWord type={typeOf(state)} name={state} size={14} />
          ) : (
            <span class="quiet">Not executed</span>
          )}
        </td>
        <td role="cell" class="c-took" data-none={took === null ? "" : undefined}>
          {took === null ? <span class="quiet">–</span> : duration(Math.max(0, took) * 1000, cell.state === "Running")}
          {took !== null && <span class="took-bar" style={`width:${Math.min(100, (100 * took) / longest)}%`} aria-hidden="true" />}
        </td>
        <td role="cell" class="c-size" data-none={cell.output_bytes ? undefined : ""}>{cell.output_bytes ? bytes(cell.output_bytes) : <span class="quiet">–</span>}</td>
      </tr>
      {failure && (
        <tr role="row" class="failing">
          <td role="cell" colSpan={5}>
            <pre tabIndex={0} aria-label="Source of the cell that failed">
              <code>{failure.source}</code>
            </pre>
            {failure.error && (
              <pre tabIndex={0} class="error" aria-label="Its error">
                {failure.error}
              </pre>
            )}
            <a href={`${api.notebook(run.id, "html")}#orion-failure`} target="_blank" rel="noopener">
              See it in the executed notebook
            </a>
          </td>
        </tr>
      )}
    </>
  );
}

/** The type of state that a name belongs to. */
function typeOf(name: string): string {
  return Object.entries(NAMES).find(([, names]) => names.includes(name))?.[0] ?? "PENDING";
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const power = Math.min(3, Math.floor(Math.log10(count) / 3));
  const unit = ["B", "kB", "MB", "GB"][power];
  const scaled = count / 1000 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${unit}`;
}
