// The list of runs: counts by state, a filter that narrows at each key press, newest first.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, type ApiError } from "./api";
import { completions, stateless, statesIn, toggleState } from "./filter";
import { deploymentName } from "./known";
import { Empty, Failure, firstLine, Loading, RunState, Started, tell, Took } from "./parts";
import { type Loaded, useQuery } from "./query";
import { hrefs, place, replaceHash } from "./router";
import type { LiveEvent, Page, Run, RunQuery } from "./types";
import { Glyph } from "../shared/icon";
import { isTerminal, lookOf, type StateType, words } from "../shared/looks";

const PAGE = 50;
const LONGEST_PAGE = 200;
const SECTIONS: (StateType | "Late")[] = [
  "RUNNING", "SCHEDULED", "Late", "PENDING", "PAUSED", "CANCELLING", "COMPLETED", "FAILED", "CRASHED", "CANCELLED",
];

export function RunsPage() {
  const text = place.value.query.get("q") ?? "";
  const query = useMemo(() => queryOf(text), [text]);
  const whole = useMemo(() => queryOf(stateless(text)), [text]);
  const list = usePages(query);
  const counts = useQuery(JSON.stringify(whole), () => api.counts(whole), topLevel);
  const setText = (next: string) => replaceHash(hrefs.runs(next));
  const wrong = list.error?.status === 422 ? list.error.message.replace(/^q: /, "") : "";
  return (
    <>
      <h1 tabIndex={-1}>Runs</h1>
      <FilterBox text={text} onText={setText} wrong={wrong} />
      <Counts counts={counts.data?.counts ?? {}} chosen={statesIn(text)} onChoose={(type) => setText(toggleState(text, type))} />
      <List list={list} text={text} onClear={() => setText("")} wrong={wrong} />
    </>
  );
}

/** The runs at the top that match; whoever asks for tasks, or for the runs in one, gets those. */
function queryOf(text: string): RunQuery {
  const q = text.trim() || undefined;
  return /(?:^|\s)(?:kind|task|parent|root):/i.test(text) ? { q } : { q, kind: "flow", top_level: true };
}

const topLevel = (event: LiveEvent) => event.kind === "flow" && event.run === event.root;

/** The newest page, kept fresh, with older ones behind it. */
function usePages(query: RunQuery) {
  const key = JSON.stringify(query);
  const [older, setOlder] = useState<{ key: string; runs: Run[]; cursor: string | null } | null>(null);
  const newest = useQuery<Page>(key, () => api.runs({ ...query, limit: PAGE }), topLevel, entered);
  const behind = older?.key === key ? older : null;
  const first = newest.data?.runs ?? [];
  const ids = new Set(first.map((run) => run.id));
  const cursor = behind ? behind.cursor : (newest.data?.cursor ?? null);
  const more = async () => {
    if (!cursor) return;
    try {
      const page = await api.runs({ ...query, limit: LONGEST_PAGE, cursor });
      // What the first page held when older runs were asked for is kept: newer ones push it out.
      const held = behind ? behind.runs : first;
      setOlder({ key, runs: [...held, ...page.runs], cursor: page.cursor });
    } catch (error) {
      tell({ text: (error as ApiError).message, bad: true });
    }
  };
  const runs = [...first, ...(behind?.runs ?? []).filter((run) => !ids.has(run.id))];
  return { ...newest, data: newest.data && { runs, cursor }, more };
}

/** The page with the states that events tell of, before the server is asked again. */
export function entered(page: Page, events: LiveEvent[]): Page {
  const latest = new Map(events.map((event) => [event.run, event]));
  const runs = page.runs.map((run) => {
    const event = latest.get(run.id);
    if (!event || event.seq <= run.state.seq) return run;
    const { seq, type, state_name: name, timestamp, message } = event;
    const end_time = isTerminal(type) ? timestamp : null;
    return { ...run, end_time, state: { ...run.state, seq, type, name, timestamp, message } };
  });
  return { ...page, runs };
}

function FilterBox({ text, onText, wrong }: { text: string; onText(text: string): void; wrong: string }) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest("input, textarea, select");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      box.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <div class="filter">
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5L14 14" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" />
      </svg>
      <input
        ref={box}
        type="text"
        aria-label="Filter runs"
        aria-describedby="filter-help"
        placeholder="Filter: prices   state:failed   tag:db   since:24h   dur>5m"
        autocomplete="off"
        list="filter-words"
        aria-invalid={wrong ? true : undefined}
        spellcheck={false}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && onText("")}
      />
      {text ? (
        <button type="button" class="clear" onClick={() => onText("")}>
          Clear
        </button>
      ) : (
        <kbd aria-hidden="true">/</kbd>
      )}
      <span id="filter-help" class="spoken">
        Words are looked for in names and ids. Also state:, tag:, flow:, deployment:, since:, dur&gt; and others; a minus
        before one leaves out.
      </span>
      <datalist id="filter-words">
        {completions(text).map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {wrong && (
        <p class="hint" role="status">
          {wrong}
        </p>
      )}
    </div>
  );
}

interface CountsProps {
  counts: Record<string, number>;
  chosen: string[];
  onChoose(type: StateType | "Late"): void;
}

function Counts({ counts, chosen, onChoose }: CountsProps) {
  const shown = SECTIONS.filter((type) => counts[type] || chosen.includes(type));
  if (!shown.length) return null;
  return (
    <div class="counts" role="group" aria-label="Filter by state">
      {shown.map((type) => (
        <button key={type} type="button" aria-pressed={chosen.includes(type)} onClick={() => onChoose(type)}>
          <Glyph look={lookOf(type, type)} size={14} />
          {words(type.toLowerCase())} <b>{(counts[type] ?? 0).toLocaleString("en")}</b>
        </button>
      ))}
    </div>
  );
}

interface ListProps {
  list: Loaded<Page> & { more(): Promise<void> };
  text: string;
  /** why the filter can't be read */
  wrong: string;
  onClear(): void;
}

function List({ list, text, onClear, wrong }: ListProps) {
  if (!list.data) {
    if (wrong) return <NoMatch onClear={onClear} />;
    return list.error ? <Failure error={list.error} again={list.reload} /> : <Loading rows={8} />;
  }
  const shown = list.data.runs;
  return (
    <>
      {list.error && !wrong && <Failure error={list.error} again={list.reload} />}
      {shown.length > 0 ? <RunTable runs={shown} /> : text ? <NoMatch onClear={onClear} /> : <NoRuns />}
      {list.data.cursor && (
        <div class="more">
          <button type="button" onClick={() => void list.more()}>
            Show older runs
          </button>
        </div>
      )}
      <p class="spoken" role="status">
        {text ? `${shown.length} ${shown.length === 1 ? "run matches" : "runs match"}` : ""}
      </p>
    </>
  );
}

/** Runs, newest first; those `of` one deployment do not name it. */
export function RunTable({ runs, of }: { runs: Run[]; of?: string }) {
  const counted = runs.some((run) => run.tasks);
  return (
    <div class="sheet">
      <table class="runs stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col" class="c-state">State</th>
            <th role="columnheader" scope="col">Run</th>
            {!of && <th role="columnheader" scope="col" class="c-deployment">Deployment</th>}
            {counted && <th role="columnheader" scope="col" class="c-tasks">Tasks</th>}
            <th role="columnheader" scope="col" class="c-when">Started</th>
            <th role="columnheader" scope="col" class="c-took">Took</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {runs.map((run) => (
            <RunRow key={run.id} run={run} counted={counted} named={!of} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RunRow({ run, counted, named }: { run: Run; counted: boolean; named: boolean }) {
  const message = firstLine(run.state.message ?? run.state.reason);
  return (
    <tr role="row">
      <td role="cell" class="c-state">
        <RunState run={run} />
      </td>
      <th role="rowheader" scope="row">
        <a class="row-link" href={hrefs.run(run.id)}>
          {run.run_name ?? run.name}
        </a>
        <span class="under">
          <code>{run.id.slice(-8)}</code>
          {run.run_name && run.run_name !== run.name && <span>{run.name}</span>}
          {message && <span title={run.state.message ?? undefined}>{message}</span>}
        </span>
      </th>
      {named && <td role="cell" class="c-deployment">{deploymentName(run.deployment) || <span class="quiet">–</span>}</td>}
      {counted && <td role="cell" class="c-tasks">{progress(run.tasks)}</td>}
      <td role="cell" class="c-when">
        <Started run={run} />
      </td>
      <td role="cell" class="c-took">
        <Took run={run} />
      </td>
    </tr>
  );
}

function progress(tasks: Record<string, number> = {}): string {
  const entries = Object.entries(tasks);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  const done = entries.reduce((sum, [type, count]) => sum + (isTerminal(type) ? count : 0), 0);
  return total ? `${done}/${total}` : "–";
}

function NoMatch({ onClear }: { onClear(): void }) {
  return (
    <Empty title="No run matches">
      <p>
        Words are looked for in the names of runs and at the end of their ids; names after a key, such as flow: or tag:, are
        whole, or have a * for any text.
      </p>
      <button type="button" onClick={onClear}>
        Clear the filter
      </button>
    </Empty>
  );
}

const FIRST_FLOW = `from orion_nb import flow, task

@task(retries=2)
def double(x):
    return 2 * x

@flow
def first_flow():
    return double(21)

first_flow()`;

function NoRuns() {
  return (
    <Empty title="No runs yet">
      <p>Run this in a notebook, and it shows up here while it runs:</p>
      <pre tabIndex={0}>
        <code>{FIRST_FLOW}</code>
      </pre>
      <p>
        Or put a notebook on a schedule, on the page of the <a href="#/deployments">deployments</a>.
      </p>
    </Empty>
  );
}
