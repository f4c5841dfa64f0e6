// The deployments: what runs by itself, when next, and how it went lately.
import { useState } from "preact/hooks";
import { api } from "./api";
import { act, Ago, Empty, Failure, Loading } from "./parts";
import { useQuery } from "./query";
import { hrefs } from "./router";
import type { Deployment, Run } from "./types";
import { lookOf, words } from "../shared/looks";
import { absolute, duration } from "../shared/times";

export function DeploymentsPage() {
  const { data, error, reload } = useQuery("deployments", api.deployments, (event) => event.kind === "flow");
  return (
    <>
      <h1 tabIndex={-1}>Deployments</h1>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading />}
      {data && data.deployments.length === 0 && <NoDeployments />}
      {data && data.deployments.length > 0 && (
        <ul class="deployments">
          {data.deployments.map((deployment) => (
            <Card key={deployment.id} deployment={deployment} reload={reload} />
          ))}
        </ul>
      )}
    </>
  );
}

function Card({ deployment, reload }: { deployment: Deployment; reload(): void }) {
  const { id, name, path, paused } = deployment;
  const [busy, setBusy] = useState(false);
  const doing = async (what: () => Promise<{ text: string; href?: string }>) => {
    setBusy(true);
    await act(what);
    setBusy(false);
    reload();
  };
  const runNow = () =>
    doing(async () => {
      const run = await api.runNow(id);
      return { text: `A run of ${name} is scheduled for now.`, href: hrefs.run(run.id) };
    });
  const toggle = () =>
    doing(async () => {
      await api.pause(id, !paused);
      return { text: paused ? `${name} follows its schedule again.` : `${name} is paused: its schedule makes no runs.` };
    });
  return (
    <li class="deployment">
      <div class="what">
        <h2>{name}</h2>
        <p class="path" title={path}>
          <bdi>{path}</bdi>
        </p>
        <Schedule deployment={deployment} />
      </div>
      <LastRuns runs={deployment.last_runs} />
      <div class="actions">
        {deployment.schedules.length > 0 && (
          <button type="button" role="switch" class="switch" aria-checked={!paused} disabled={busy} onClick={() => void toggle()}>
            <span class="spoken">{name} follows its schedule: </span>
            {paused ? "Paused" : "Active"}
          </button>
        )}
        <button type="button" class="primary" disabled={busy} onClick={() => void runNow()} aria-label={`Run ${name} now`}>
          Run now
        </button>
      </div>
    </li>
  );
}

function Schedule({ deployment }: { deployment: Deployment }) {
  const { words: told = deployment.schedules.map(({ kind }) => kind), next_times: next, paused } = deployment;
  if (!told.length) return <p class="schedule quiet">No schedule: it runs when you say so.</p>;
  return (
    <p class="schedule">
      {told.join("; ")}
      {!paused && next[0] !== undefined && (
        <span class="next" title={next.map((at) => absolute(at / 1000)).join("\n")}>
          next <Ago at={next[0]} />
        </span>
      )}
    </p>
  );
}

/** The last runs, oldest first: a bar each, as high as it took long, in the colour of its state. */
function LastRuns({ runs }: { runs: Run[] }) {
  if (!runs.length) return <p class="last quiet">No runs yet</p>;
  const took = (run: Run) => (run.start_time && run.end_time ? run.end_time - run.start_time : 0);
  const longest = Math.max(1, ...runs.map(took));
  return (
    <ul class="last" aria-label="Last runs">
      {[...runs].reverse().map((run) => {
        const look = lookOf(run.state.type, run.state.name);
        const height = 30 + Math.round((70 * took(run)) / longest);
        const told = `${words(run.state.name)}${took(run) ? `, ${duration(took(run) / 1000)}` : ""}`;
        return (
          <li key={run.id}>
            <a href={hrefs.run(run.id)} aria-label={`Run ${run.id.slice(-8)}: ${told}`} title={told}>
              <span
                class="orion-part"
                data-type={run.state.type}
                style={`height:${height}%;--orion-light:${look.light};--orion-dark:${look.dark}`}
              />
            </a>
          </li>
        );
      })}
    </ul>
  );
}

function NoDeployments() {
  return (
    <Empty title="No deployments yet">
      <p>Put a notebook on a schedule, and its runs are made by themselves:</p>
      <pre tabIndex={0}>
        <code>orion-nb deploy report.ipynb --name report --cron "0 9 * * 1-5"</code>
      </pre>
      <p>
        Or in Python: <code>from orion_nb import deploy</code>
      </p>
    </Empty>
  );
}
