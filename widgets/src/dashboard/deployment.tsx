// One deployment: when it runs next, what is said of it, its runs; run now, pause, try a schedule.
import { useState } from "preact/hooks";
import { api, ApiError } from "./api";
import { DeployForm } from "./deploying";
import { NextTimes, shown } from "./effect";
import { act, Ago, Empty, Failure, Loading, tell } from "./parts";
import { PauseForm, RunNowForm } from "./doing";
import { useQuery } from "./query";
import { hrefs } from "./router";
import { RunTable } from "./runs";
import { Remove } from "./sure";
import type { Deployment, DeploymentWithSource, Diff, Preview } from "./types";
import { called } from "./values";
import { absolute } from "../shared/times";

export function DeploymentPage({ name }: { name: string }) {
  const { data, error, reload } = useQuery(name, () => api.deployment(name), (event) => event.kind === "flow");
  if (!data) {
    return (
      <>
        <h1 tabIndex={-1}>{name}</h1>
        {error ? <Failure error={error} again={reload} /> : <Loading />}
      </>
    );
  }
  return (
    <>
      <Head deployment={data} reload={reload} />
      {error && <Failure error={error} again={reload} />}
      {data.problem && <Problem deployment={data} />}
      {isPaused(data) && <Paused deployment={data} />}
      <div class="two">
        <div>
          <section aria-labelledby="runs-title">
            <h2 id="runs-title">Last runs</h2>
            {data.last_runs.length > 0 ? (
              <>
                <RunTable runs={data.last_runs} of={data.id} />
                <p class="all">
                  <a href={hrefs.runs(`deployment:${quoted(data.name)}`)}>All its runs</a>
                </p>
              </>
            ) : (
              <p class="none">It has not run yet.</p>
            )}
          </section>
          <Said deployment={data} />
        </div>
        <section class="side" aria-labelledby="times-title" tabIndex={0}>
          <h2 id="times-title">When it runs</h2>
          <Times deployment={data} />
          {!data.problem && <Source deployment={data} />}
          <h2>Try a schedule</h2>
          <TrySchedule />
        </section>
      </div>
    </>
  );
}

function quoted(name: string): string {
  return /[\s,"]/.test(name) ? `"${name.replaceAll('"', '\\"')}"` : name;
}

export function isPaused({ paused, problem }: Deployment): boolean {
  return paused && !problem;
}

function Head({ deployment, reload }: { deployment: Deployment; reload(): void }) {
  const [doing, setDoing] = useState<"run" | "pause" | "change" | "remove" | null>(null);
  const { name, path, flow, problem, schedules } = deployment;
  const resume = () =>
    act(async () => {
      await api.resume(deployment.id);
      return { text: `${name} follows its schedule again.` };
    }).then(reload);
  const done = () => {
    setDoing(null);
    reload();
  };
  const toggle = (what: "run" | "pause" | "change" | "remove") => setDoing(doing === what ? null : what);
  const leave = () => (location.hash = hrefs.deployments());
  return (
    <header class="run-head">
      <nav aria-label="Breadcrumb">
        <a href={hrefs.deployments()}>Deployments</a>
      </nav>
      <div class="title">
        <h1 tabIndex={-1}>{name}</h1>
        <div class="actions">
          <button type="button" class="danger" aria-expanded={doing === "remove"} onClick={() => toggle("remove")}>
            Remove…
          </button>
          {!problem && (
            <button type="button" aria-expanded={doing === "change"} onClick={() => toggle("change")}>
              Change…
            </button>
          )}
          {!problem && schedules.length > 0 &&
            (isPaused(deployment) ? (
              <button type="button" onClick={() => void resume()}>
                Resume
              </button>
            ) : (
              <button type="button" aria-expanded={doing === "pause"} onClick={() => toggle("pause")}>
                Pause…
              </button>
            ))}
          {!problem && (
            <button type="button" class="primary" aria-expanded={doing === "run"} onClick={() => toggle("run")}>
              Run now…
            </button>
          )}
        </div>
      </div>
      <p class="path" title={path}>
        <bdi>{flow ? `${path}:${flow}` : path}</bdi>
      </p>
      {doing === "run" && <RunNowForm deployment={deployment} onDone={done} onLeave={() => setDoing(null)} />}
      {doing === "pause" && <PauseForm deployment={deployment} onDone={done} onLeave={() => setDoing(null)} />}
      {doing === "change" && <DeployForm deployment={deployment} onDone={done} onLeave={() => setDoing(null)} />}
      {doing === "remove" && (
        <Remove name={name} remove={() => api.remove(deployment.id)} onDone={leave} onLeave={() => setDoing(null)}>
          Its schedules and notifications go with it; its runs stay. This can't be undone.
        </Remove>
      )}
    </header>
  );
}

export function Problem({ deployment }: { deployment: Deployment }) {
  return (
    <div class="callout bad" role="alert">
      <p>
        <b>It can't be read any more, and nothing of it is run:</b> {deployment.problem}
      </p>
      <p>
        Deploy it anew, <code>orion-nb deploy … --name {deployment.name} --update</code>, or remove it.
      </p>
    </div>
  );
}

export function Paused({ deployment }: { deployment: Deployment }) {
  const { until = null, by = null, why = null } = deployment.pause ?? {};
  return (
    <div class="callout">
      <p>
        <b>Paused</b>
        {until !== null && (
          <>
            {" "}
            until {absolute(until / 1000)} (<Ago at={until} />)
          </>
        )}
        {by && ` by ${by}`}
        {why && `: ${why}`}
        {until === null && !why && ": its schedules make no runs until it is resumed"}.
      </p>
    </div>
  );
}

function Times({ deployment }: { deployment: Deployment }) {
  const { words = [], next_times: next, problem } = deployment;
  if (problem) return <p class="quiet">Never: it can't be read.</p>;
  if (!words.length) return <p class="quiet">No schedule: it runs when you say so.</p>;
  return (
    <>
      <ul class="words">
        {words.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
      {next.length > 0 ? (
        <NextTimes of={deployment} />
      ) : (
        <p class="quiet">{isPaused(deployment) ? "Not while it is paused." : "It names no time to come."}</p>
      )}
    </>
  );
}

function Source({ deployment }: { deployment: DeploymentWithSource }) {
  const { track, pinned, on_disk: disk, drift } = deployment.source;
  const [diff, setDiff] = useState<Diff | null>(null);
  const show = async () => {
    try {
      setDiff(await api.diff(deployment.id));
    } catch (error) {
      tell({ text: (error as ApiError).message, bad: true });
    }
  };
  return (
    <>
      <h2>What it runs</h2>
      <p>
        {track === "pinned" ? "The version it was deployed with" : "The file as it is on disk when a run starts; now"}{" "}
        <code title={pinned ?? disk ?? ""}>{(pinned ?? disk ?? "").slice(0, 12)}</code>
      </p>
      {drift && <p class="drift">{drift}</p>}
      {drift && pinned && !diff && (
        <button type="button" onClick={() => void show()}>
          Show what changed
        </button>
      )}
      {diff && <Differences diff={diff} />}
    </>
  );
}

function Differences({ diff }: { diff: Diff }) {
  const parts = diff.cells.length
    ? diff.cells.map(({ kind, was, now, change, diff: lines }) => ({ head: `${kind} cell ${now ?? was} ${change}`, lines }))
    : [{ head: "", lines: diff.lines }];
  return (
    <div class="diff">
      {parts.map(({ head, lines }) => (
        <div key={head}>
          {head && <p class="quiet">{head}</p>}
          <pre tabIndex={0}>
            {lines.map((line, at) => (
              <span key={at} data-sign={line.charAt(0)}>
                {line}
                {"\n"}
              </span>
            ))}
          </pre>
        </div>
      ))}
    </div>
  );
}

const ELSEWHERE = new Set([
  "id", "name", "path", "flow", "paused", "pause", "problem", "words", "next_times", "local_times", "timezone", "last_runs", "source", "schedules",
  "next_due", "revision", "track", "pinned",
]);
/** what says something only together with another field */
const BESIDE: Record<string, (of: Deployment) => boolean> = {
  catch_up_max: (of) => of.catch_up === "all",
  sla_action: (of) => !!(of.sla || of.sla_start),
  retry_delay: (of) => !!of.retries,
  retry_backoff: (of) => !!of.retries && of.retry_backoff !== 1,
};

/** All that is said of it; what nobody has said is left out. */
function Said({ deployment }: { deployment: Deployment }) {
  const entries = Object.entries(deployment).filter(
    ([name, value]) => !ELSEWHERE.has(name) && isSaid(value) && (BESIDE[name]?.(deployment) ?? true),
  );
  return (
    <section aria-labelledby="said-title">
      <h2 id="said-title">Options</h2>
      <dl class="parameters">
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{called(name)}</dt>
            <dd>{shown(name, value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function isSaid(value: unknown): boolean {
  if (value === null || value === false || value === "" || value === 0) return false;
  return typeof value !== "object" || Object.keys(value as object).length > 0;
}

/** When a schedule would run, as it is typed. */
function TrySchedule() {
  const [text, setText] = useState("");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const [told, setTold] = useState<{ text: string; found?: Preview; error?: string }>({ text: "" });
  const type = async (next: string) => {
    setText(next);
    if (!next.trim()) return setTold({ text: next });
    try {
      const found = await api.preview([next], zone);
      setTold((before) => (before.text.length > next.length && before.text.startsWith(next) ? before : { text: next, found }));
    } catch (error) {
      setTold({ text: next, error: (error as ApiError).message });
    }
  };
  const fresh = told.text === text;
  return (
    <div class="try">
      <input
        type="text"
        aria-label="A schedule"
        placeholder="0 9 * * 1-5   15m   FREQ=WEEKLY;BYDAY=MO"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => void type(event.currentTarget.value)}
      />
      <div role="status">
        {fresh && told.error && <p class="wrong">{told.error}</p>}
        {fresh && told.found && (
          <>
            <p>{told.found.schedules.map(({ words }) => words).join("; ")}</p>
            {told.found.next_times.length > 0 ? <NextTimes of={told.found} /> : <p class="quiet">It never runs again.</p>}
          </>
        )}
        {!text && <p class="quiet">Times are read in {zone}. Nothing is changed by trying.</p>}
      </div>
    </div>
  );
}

export function NoDeployments() {
  return (
    <Empty title="No deployments yet">
      <p>Put a notebook on a schedule, and its runs are made by themselves. With the button “Deploy…”, or in a shell:</p>
      <pre tabIndex={0}>
        <code>orion-nb deploy report.ipynb --name report --cron "0 9 * * 1-5"</code>
      </pre>
      <p>
        Or in Python: <code>from orion_nb import deploy</code>
      </p>
    </Empty>
  );
}
