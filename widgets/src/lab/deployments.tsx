// The deployments in the panel: when each runs next, how it went lately, and what can be done with it.
import { api } from "../dashboard/api";
import { LastRuns } from "../dashboard/lately";
import { Ago, Failure, Loading } from "../dashboard/parts";
import { useQuery } from "../dashboard/query";
import { hrefs } from "../dashboard/router";
import type { Deployment } from "../dashboard/types";
import { absolute } from "../shared/times";
import { IconButton } from "./buttons";
import { notebook } from "./place";

export function DeploymentList() {
  const { data, error, reload } = useQuery("deployments", api.deployments, (event) => !!event.deployment);
  const list = data?.deployments ?? [];
  return (
    <section aria-labelledby="orion-deployments">
      <div class="head">
        <h3 id="orion-deployments">
          Deployments {list.length > 0 && <span class="quiet">{list.length}</span>}
        </h3>
        <a href={hrefs.deploy(notebook.value)}>Deploy…</a>
      </div>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={2} />}
      {data && !list.length && <p class="none">None yet. The button “Schedule…” of a notebook makes one.</p>}
      {list.length > 0 && (
        <ul>
          {list.map((each) => (
            <Row key={each.id} deployment={each} reload={reload} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ deployment, reload }: { deployment: Deployment; reload(): void }) {
  const { id, name, path, problem, paused, schedules, last_runs: runs } = deployment;
  return (
    <li class="deployment">
      <div class="line">
        <a class="name" href={hrefs.deployment(name)} title={path}>
          {name}
        </a>
        {!problem && (
          <span class="buttons">
            {schedules.length > 0 && (
              <IconButton
                drawing={paused ? "resume" : "pause"}
                label={`${paused ? "Resume" : "Pause"} ${name}`}
                onDo={async () => {
                  await (paused ? api.resume(id) : api.pause(id));
                  return { text: paused ? `${name} follows its schedule again.` : `${name} is paused.` };
                }}
                onDone={reload}
              />
            )}
            <IconButton
              drawing="run"
              label={`Run ${name} now`}
              onDo={async () => {
                const run = await api.runNow(id);
                return { text: `A run of ${name} is scheduled for now.`, href: hrefs.run(run.id) };
              }}
              onDone={reload}
            />
          </span>
        )}
      </div>
      <div class="line">
        <When deployment={deployment} />
        {runs.length > 0 && <LastRuns runs={runs.slice(0, 20)} />}
      </div>
    </li>
  );
}

function When({ deployment }: { deployment: Deployment }) {
  const { problem, paused, pause, schedules, words = [], next_times: next } = deployment;
  if (problem) return <span class="when wrong" title={problem}>Can't be read</span>;
  if (!schedules.length) return <span class="when">No schedule</span>;
  if (paused) {
    const until = pause?.until ? ` until ${absolute(pause.until / 1000)}` : "";
    return <span class="when paused" title={pause?.why ?? undefined}>{`Paused${until}`}</span>;
  }
  return (
    <span class="when" title={words.join("; ")}>
      {next[0] === undefined ? "No more runs" : <>next <Ago at={next[0]} /></>}
    </span>
  );
}
