// The small pieces that pages are made of.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { ApiError } from "./api";
import { now } from "./live";
import type { Report, Run } from "./types";
import { Glyph } from "../shared/icon";
import { isTerminal, lookOf, words } from "../shared/looks";
import { absolute, duration, relative } from "../shared/times";

const LATE_AFTER_MS = 15_000;

/** Scheduled, and past its time: derived, as the server derives it. */
export function isLate(run: Run, at: number): boolean {
  const due = run.state.scheduled_time;
  return run.state.type === "SCHEDULED" && due !== null && due / 1000 + LATE_AFTER_MS < at;
}

export function StateWord({ type, name, size = 16 }: { type: string; name: string; size?: number }) {
  return (
    <span class="state">
      <Glyph look={lookOf(type, name)} size={size} />
      {words(name)}
    </span>
  );
}

/** A run's state, Late included. */
export function RunState({ run, size }: { run: Run; size?: number }) {
  return <StateWord type={run.state.type} name={isLate(run, now.value) ? "Late" : run.state.name} size={size} />;
}

/** When a run started, or is due. */
export function Started({ run }: { run: Run }) {
  if (run.start_time !== null) return <Ago at={run.start_time} />;
  const due = run.scheduled_time ?? run.state.scheduled_time;
  if (due === null) return <Ago at={run.created} />;
  return (
    <>
      due <Ago at={due} />
    </>
  );
}

/** A moment (µs) seen from now, in full on hovering. */
export function Ago({ at }: { at: number | null }) {
  if (at === null) return <span class="quiet">–</span>;
  return (
    <time dateTime={new Date(at / 1000).toISOString()} title={absolute(at / 1000)}>
      {relative(at / 1000, now.value)}
    </time>
  );
}

const WAITING = new Set(["SCHEDULED", "PENDING"]);

/** How long a run took, or has been running. */
export function Took({ run }: { run: Run }) {
  if (run.start_time === null) return <span class="quiet">–</span>;
  if (run.end_time !== null) return <>{duration((run.end_time - run.start_time) / 1000)}</>;
  if (isTerminal(run.state.type) || WAITING.has(run.state.type)) return <span class="quiet">–</span>;
  return <>{duration(now.value - run.start_time / 1000, true)}</>;
}

export function firstLine(text: string | null): string {
  return (text ?? "").trim().split("\n", 1)[0] ?? "";
}

/** The bar of how many are in which state, with its legend. */
export function Bar({ counts }: { counts: Record<string, number> }) {
  const order = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING", "RUNNING", "PAUSED", "Late", "SCHEDULED", "PENDING"];
  const parts = order.map((name) => ({ name, count: counts[name] ?? 0 })).filter((part) => part.count);
  return (
    <div class="progress">
      <div class="bar" aria-hidden="true">
        {parts.map(({ name, count }) => {
          const look = lookOf(name, name);
          const style = `flex-grow:${count};--orion-light:${look.light};--orion-dark:${look.dark}`;
          return <span key={name} class="orion-part" data-type={name} style={style} />;
        })}
      </div>
      <ul class="legend">
        {parts.map(({ name, count }) => (
          <li key={name}>
            <Glyph look={lookOf(name, name)} size={13} />
            <b>{count.toLocaleString("en")}</b> {words(name.toLowerCase()).toLowerCase()}
          </li>
        ))}
      </ul>
    </div>
  );
}

interface EmptyProps {
  title: string;
  children: ComponentChildren;
  /** the page has no other heading */
  alone?: boolean;
}

export function Empty({ title, children, alone }: EmptyProps) {
  return (
    <div class="empty">
      <Stars />
      {alone ? <h1 tabIndex={-1}>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

export function Failure({ error, again }: { error: ApiError; again?: () => void }) {
  return (
    <div class="failure" role="alert">
      <div>
        <strong>{error.message.charAt(0).toUpperCase() + error.message.slice(1)}</strong>
        <p>{error.remedy}</p>
      </div>
      {again && error.status !== 404 && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Grey lines where rows will be. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} style={`width:${88 - ((row * 17) % 40)}%`} />
      ))}
    </div>
  );
}

/** The seven stars. */
export function Stars() {
  const stars = [[5, 4, 1.5], [18, 5.5, 1.2], [9, 12.2, 1.1], [11.6, 11.5, 1.1], [14.2, 10.8, 1.1], [6.5, 20, 1.2], [19, 19, 1.6]];
  return (
    <svg class="stars" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d="M5 4l4 8.2L6.5 20M18 5.5l-3.8 5.3L19 19M9 12.2l5.2-1.4" fill="none" stroke="currentColor" stroke-width=".7" opacity=".55" />
      {stars.map(([x, y, r]) => (
        <circle key={`${x}`} cx={x} cy={y} r={r} fill="currentColor" />
      ))}
    </svg>
  );
}

interface Note {
  text: string;
  href?: string;
  bad?: boolean;
}

const note = signal<Note | null>(null);
let noteTimer = 0;

/** Tells what an action led to, for a while. */
export function tell(told: Note): void {
  note.value = told;
  clearTimeout(noteTimer);
  noteTimer = window.setTimeout(() => (note.value = null), told.bad ? 12_000 : 6000);
}

/** A message as a sentence: it begins with a capital and ends with a stop. */
export function sentence(message: string): string {
  const told = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?…]$/.test(told) ? told : `${told}.`;
}

/** Does something on the server and tells how it went. */
export async function act(doing: () => Promise<Note>): Promise<void> {
  try {
    tell(await doing());
  } catch (error) {
    const { message, remedy = "" } = error as ApiError;
    tell({ text: `${sentence(message)} ${remedy}`, bad: true });
  }
}

/** What became of a proposal, in one sentence. */
export function outcome(report: Report): string {
  const entered = words(report.state.name).toLowerCase();
  if (report.status === "ACCEPT") return `The run is ${entered}.`;
  return `The run is ${entered}: ${report.reason ?? report.status.toLowerCase()}.`;
}

export function Notes() {
  const told = note.value;
  return (
    <div class="notes" role="status">
      {told && (
        <p class={told.bad ? "note bad" : "note"}>
          {told.text} {told.href && <a href={told.href}>Open</a>}
          <button type="button" aria-label="Dismiss" onClick={() => (note.value = null)}>
            ×
          </button>
        </p>
      )}
    </div>
  );
}
