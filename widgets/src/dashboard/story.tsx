// What happened to a run and why: its states, each with the report on how it was entered.
import type { Entry, Report, RuleLine } from "./types";
import { firstLine, StateWord } from "./parts";
import { words } from "../shared/looks";
import { absolute, clockTime, duration } from "../shared/times";

export function Story({ entries, blocked }: { entries: Entry[]; blocked: Report | null }) {
  return (
    <>
      {blocked && <Blocked report={blocked} />}
      <ol class="story">
        {entries.map((entry, at) => (
          <Chapter key={entry.seq} entry={entry} before={entries[at - 1]} />
        ))}
      </ol>
    </>
  );
}

/** The last refusal: what a run that has not moved is waiting for. */
function Blocked({ report }: { report: Report }) {
  return (
    <div class="blocked">
      <h3>Why it has not moved on</h3>
      <p>
        <b>{report.proposed && words(report.proposed)}</b> was proposed and not entered: {report.reason}
      </p>
      <Rules lines={report.rules} />
    </div>
  );
}

function Chapter({ entry, before }: { entry: Entry; before: Entry | undefined }) {
  const { report } = entry;
  const later = before ? (entry.timestamp - before.timestamp) / 1000 : 0;
  return (
    <li>
      <div class="chapter-head">
        <StateWord type={entry.type} name={entry.name} />
        {entry.attempt > 1 && <span class="tag">attempt {entry.attempt}</span>}
        <time title={absolute(entry.timestamp / 1000)}>
          {later >= 1 && <span class="later">+{duration(later)}</span>}
          {clockTime(entry.timestamp / 1000)}
        </time>
      </div>
      {entry.message && <Message text={entry.message} />}
      {report ? <Decision entry={entry} report={report} /> : <p class="quiet">{entry.reason ?? "Created in this state."}</p>}
    </li>
  );
}

/** A message of many lines shows its first, and the rest on request. */
export function Message({ text }: { text: string }) {
  const first = firstLine(text);
  if (first === text.trim() && text.length < 300) return <p class="message">{text}</p>;
  return (
    <details class="message">
      <summary>{first.slice(0, 300)}</summary>
      <pre tabIndex={0}>{text}</pre>
    </details>
  );
}

/** Proposed, what the rules said to it, and what was entered. */
function Decision({ entry, report }: { entry: Entry; report: Report }) {
  const spoke = report.rules.find((line) => line.verdict !== "pass");
  const proposed = report.proposed ?? entry.name;
  const by = entry.by && <span class="quiet"> by {entry.by}</span>;
  return (
    <div class={spoke ? "decision spoke" : "decision"}>
      {spoke ? (
        <>
          <p>
            <b>{words(proposed)}</b> was proposed{by}; <code>{spoke.rule}</code> entered <b>{words(entry.name)}</b> instead
            {spoke.reason && <>: {spoke.reason}</>}.
          </p>
          <p class="says">“{spoke.says}”</p>
        </>
      ) : (
        <p>
          <b>{words(proposed)}</b> was proposed{by} and accepted.{report.reason && ` ${report.reason}`}
        </p>
      )}
      <Rules lines={report.rules} />
    </div>
  );
}

const MARKS: Record<string, string> = { pass: "✓", rewrite: "↻", reject: "✕", wait: "◷", abort: "✕" };

function Rules({ lines }: { lines: RuleLine[] }) {
  if (!lines.length) return null;
  const objected = lines.filter((line) => line.verdict !== "pass").length;
  return (
    <details class="rules">
      <summary>
        {lines.length} {lines.length === 1 ? "rule" : "rules"} asked, {objected || "none"} objected
      </summary>
      <ol>
        {lines.map((line, at) => (
          <li key={at} data-verdict={line.verdict}>
            <span class="verdict">
              <span aria-hidden="true">{MARKS[line.verdict] ?? "·"}</span> {line.verdict}
            </span>
            <div>
              <code>{line.rule}</code>
              <p>{line.says}</p>
              {line.reason && <p class="reason">{line.reason}</p>}
              <Facts facts={line.facts} />
            </div>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Facts({ facts }: { facts: Record<string, unknown> }) {
  const entries = Object.entries(facts);
  if (!entries.length) return null;
  return (
    <dl class="facts">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
