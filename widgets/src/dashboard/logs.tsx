// What runs have logged and printed: of one run, or of all, newest last, older ones on request.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type ApiError } from "./api";
import { Empty, Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { hrefs, place, replaceHash } from "./router";
import type { LogLine, LogPage, LogQuery, Run } from "./types";
import { isTerminal } from "../shared/looks";
import { absolute, clockTime } from "../shared/times";

const PAGE = 100;
const LOOK_MS = 2000;
const LEVELS = ["debug", "info", "warning", "error"];
const NAMES: [number, string][] = [[50, "critical"], [40, "error"], [30, "warning"], [20, "info"], [0, "debug"]];

export function LogsPage() {
  const { query } = place.value;
  const text = query.get("text") ?? "";
  const level = query.get("level") ?? "";
  const go = (next: { text: string; level: string }) => {
    const told = new URLSearchParams(Object.entries(next).filter(([, value]) => value));
    replaceHash(`#/logs${String(told) ? `?${told}` : ""}`);
  };
  return (
    <>
      <h1 tabIndex={-1}>Logs</h1>
      <div class="log-tools">
        <input
          type="search"
          aria-label="Only lines with this text"
          placeholder="Only lines with this text"
          value={text}
          onInput={(event) => go({ text: event.currentTarget.value, level })}
        />
        <Levels level={level} onLevel={(next) => go({ text, level: next })} />
      </div>
      <Lines query={{ text: text || undefined, level: level || undefined }} named live={() => true} />
    </>
  );
}

/** The log of a run and of the runs in it; it is asked for when it is opened. */
export function RunLogs({ run }: { run: Run }) {
  const [open, setOpen] = useState(false);
  const [level, setLevel] = useState("");
  return (
    <details class="section" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>Logs</h2>
      </summary>
      {open && (
        <>
          <div class="log-tools">
            <Levels level={level} onLevel={setLevel} />
          </div>
          <Lines
            query={{ run: run.id, tree: true, level: level || undefined }}
            named
            live={() => !isTerminal(run.state.type)}
          />
        </>
      )}
    </details>
  );
}

function Levels({ level, onLevel }: { level: string; onLevel(level: string): void }) {
  return (
    <select aria-label="The least level" value={level} onChange={(event) => onLevel(event.currentTarget.value)}>
      <option value="">All levels</option>
      {LEVELS.slice(1).map((each) => (
        <option key={each} value={each}>
          {each} and above
        </option>
      ))}
    </select>
  );
}

function Lines({ query, named, live }: { query: LogQuery; named: boolean; live(): boolean }) {
  const key = JSON.stringify(query);
  const [older, setOlder] = useState<{ key: string; lines: LogLine[]; cursor: number | null } | null>(null);
  const { data, error, reload } = useQuery<LogPage>(`logs ${key}`, () => api.logs({ ...query, newest: true, limit: PAGE }));
  const alive = useRef(live);
  alive.current = live;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && alive.current() && reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, [key]);
  if (!data) return error ? <Failure error={error} again={reload} /> : <Loading />;
  const behind = older?.key === key ? older : null;
  const first = data.lines[0]?.n ?? Infinity;
  const lines = [...(behind?.lines ?? []).filter(({ n }) => n < first), ...data.lines];
  const cursor = behind ? behind.cursor : data.cursor;
  const more = async () => {
    try {
      const page = await api.logs({ ...query, newest: true, limit: PAGE, before: cursor ?? undefined });
      setOlder({ key, lines: [...page.lines, ...lines], cursor: page.cursor });
    } catch (trouble) {
      tell({ text: (trouble as ApiError).message, bad: true });
    }
  };
  return (
    <>
      {error && <Failure error={error} again={reload} />}
      {cursor !== null && (
        <div class="more">
          <button type="button" onClick={() => void more()}>
            Show older lines
          </button>
        </div>
      )}
      {lines.length > 0 ? (
        <ol class="log" tabIndex={0} aria-label="Log lines, newest last">
          {lines.map((line) => (
            <Line key={line.n} line={line} named={named} />
          ))}
        </ol>
      ) : (
        <NoLines narrowed={!!(query.text || query.level)} one={!!query.run} />
      )}
    </>
  );
}

function Line({ line, named }: { line: LogLine; named: boolean }) {
  const level = NAMES.find(([least]) => line.level >= least)?.[1] ?? "debug";
  return (
    <li data-level={level}>
      <time title={absolute(line.timestamp / 1000)}>{clockTime(line.timestamp / 1000)}</time>
      <span class="level">{level}</span>
      {named && <a href={hrefs.run(line.run)}>{line.name}</a>}
      <span class="said">{line.message}</span>
    </li>
  );
}

function NoLines({ narrowed, one }: { narrowed: boolean; one: boolean }) {
  if (one) return <p class="none">{narrowed ? "No line of this level." : "It has logged and printed nothing."}</p>;
  return (
    <Empty title={narrowed ? "No line matches" : "No logs yet"}>
      <p>
        What tasks and flows print, and what they log by <code>get_logger()</code>, is kept with their runs.
      </p>
    </Empty>
  );
}
