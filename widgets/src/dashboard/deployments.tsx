// The deployments: what runs by itself, when next, and how it went lately.
import { useState } from "preact/hooks";
import { api } from "./api";
import { isPaused, NoDeployments } from "./deployment";
import { DeployForm } from "./deploying";
import { PauseForm, RunNowForm } from "./doing";
import { LastRuns } from "./lately";
import { act, Ago, Failure, Loading } from "./parts";
import { useQuery } from "./query";
import { hrefs, place, replaceHash } from "./router";
import type { Deployment } from "./types";
import { absolute } from "../shared/times";

export function DeploymentsPage() {
  const { data, error, reload } = useQuery("deployments", api.deployments, (event) => event.kind === "flow");
  const path = place.value.query.get("deploy");
  const [asked, setAsked] = useState(false);
  const deploying = asked || path !== null;
  const leave = () => {
    setAsked(false);
    replaceHash(hrefs.deployments());
  };
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Deployments</h1>
        <div class="actions">
          <button type="button" aria-expanded={deploying} onClick={() => (deploying ? leave() : setAsked(true))}>
            Deploy…
          </button>
        </div>
      </div>
      {deploying && (
        <DeployForm key={path} path={path ?? ""} onDone={(name) => (location.hash = hrefs.deployment(name))} onLeave={leave} />
      )}
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
  const { id, name, path, flow, problem } = deployment;
  const [doing, setDoing] = useState<"run" | "pause" | null>(null);
  const paused = isPaused(deployment);
  const toggle = () => {
    if (!paused) return setDoing(doing === "pause" ? null : "pause");
    void act(async () => {
      await api.resume(id);
      return { text: `${name} follows its schedule again.` };
    }).then(reload);
  };
  const done = () => {
    setDoing(null);
    reload();
  };
  return (
    <li class="deployment" data-broken={problem ? "" : undefined}>
      <div class="what">
        <h2>
          <a href={hrefs.deployment(name)}>{name}</a>
        </h2>
        <p class="path" title={path}>
          <bdi>{flow ? `${path}:${flow}` : path}</bdi>
        </p>
        {problem ? (
          <p class="wrong">
            It can't be read any more, and nothing of it is run: {problem}
          </p>
        ) : (
          <Schedule deployment={deployment} />
        )}
      </div>
      <LastRuns runs={deployment.last_runs} />
      {!problem && (
        <div class="actions">
          {deployment.schedules.length > 0 && (
            <button type="button" role="switch" class="switch" aria-checked={!paused} onClick={toggle}>
              <span class="spoken">{name} follows its schedule: </span>
              {paused ? "Paused" : "Active"}
            </button>
          )}
          <button type="button" class="primary" aria-expanded={doing === "run"} aria-label={`Run ${name} now`}
            onClick={() => setDoing(doing === "run" ? null : "run")}>
            Run now…
          </button>
        </div>
      )}
      {doing === "run" && <RunNowForm deployment={deployment} onDone={done} onLeave={() => setDoing(null)} />}
      {doing === "pause" && <PauseForm deployment={deployment} onDone={done} onLeave={() => setDoing(null)} />}
    </li>
  );
}

function Schedule({ deployment }: { deployment: Deployment }) {
  const { words: told = deployment.schedules.map(({ kind }) => kind), next_times: next, pause } = deployment;
  if (!told.length) return <p class="schedule quiet">No schedule: it runs when you say so.</p>;
  const paused = isPaused(deployment);
  return (
    <p class="schedule">
      {told.join("; ")}
      {paused && (
        <span class="next">
          paused{pause?.until && <> until {absolute(pause.until / 1000)}</>}
          {pause?.why && `: ${pause.why}`}
        </span>
      )}
      {!paused && next[0] !== undefined && (
        <span class="next" title={next.map((at) => absolute(at / 1000)).join("\n")}>
          next <Ago at={next[0]} />
        </span>
      )}
    </p>
  );
}
