// The newest runs in the panel, and those of the notebook in front.
import { signal } from "@preact/signals";
import { api } from "../dashboard/api";
import { deploymentName } from "../dashboard/known";
import { Failure, isLate, Loading, outcome, Started, Took } from "../dashboard/parts";
import { now } from "../dashboard/live";
import { useQuery } from "../dashboard/query";
import { hrefs } from "../dashboard/router";
import { entered } from "../dashboard/runs";
import type { Run } from "../dashboard/types";
import { Glyph } from "../shared/icon";
import { isTerminal, lookOf, words } from "../shared/looks";
import { IconButton } from "./buttons";
import { notebook, wholePath } from "./place";

type Which = "all" | "notebook" | "failed";

const SHOWN = 30;
const CHOICES: [Which, string][] = [["all", "All"], ["notebook", "This notebook"], ["failed", "Failed"]];
/** it stays when the panel is closed and opened again */
const which = signal<Which>("all");

const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;

/** The words of the filter; null where there is nothing to look for. */
function filterOf(chosen: Which, path: string): string | null {
  if (chosen === "failed") return "state:failed,crashed";
  if (chosen === "all") return "";
  return path ? `notebook:${quoted(path)}` : null;
}

export function RunList() {
  const q = filterOf(which.value, wholePath());
  const query = { ...(q ? { q } : {}), kind: "flow" as const, top_level: true, limit: SHOWN };
  const load = async () => (q === null ? { runs: [], cursor: null } : api.runs(query));
  const { data, error, reload } = useQuery(`${q}`, load, () => true, entered);
  const runs = data?.runs ?? [];
  return (
    <section aria-labelledby="orion-runs">
      <div class="head">
        <h3 id="orion-runs">Runs</h3>
      </div>
      <div class="choices" role="group" aria-label="Which runs">
        {CHOICES.map(([each, label]) => (
          <button key={each} type="button" aria-pressed={which.value === each} onClick={() => (which.value = each)}>
            {label}
          </button>
        ))}
      </div>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={4} />}
      {data && !runs.length && <p class="none">{none(which.value, notebook.value)}</p>}
      {runs.length > 0 && (
        <ul>
          {runs.map((run) => (
            <Row key={run.id} run={run} reload={reload} />
          ))}
        </ul>
      )}
      {data?.cursor && (
        <p class="none">
          <a href={hrefs.runs(q ?? "")}>Older runs</a>
        </p>
      )}
    </section>
  );
}

function none(chosen: Which, path: string): string {
  if (chosen === "failed") return "No run has failed.";
  if (chosen === "all") return "None yet. They show up here as soon as a flow or a deployment runs.";
  return path ? "None of this notebook yet." : "No notebook is open in front.";
}

function Row({ run, reload }: { run: Run; reload(): void }) {
  const late = isLate(run, now.value);
  const state = late ? "Late" : run.state.name;
  const name = run.run_name ?? (deploymentName(run.deployment) || run.name);
  const short = `${name} ${run.id.slice(-8)}`;
  const over = isTerminal(run.state.type);
  return (
    <li class="run">
      <Glyph look={lookOf(run.state.type, state)} size={16} />
      <div class="what">
        <span class="line">
          <a class="name" href={hrefs.run(run.id)} title={run.state.message ?? undefined}>
            {name}
          </a>
          {run.start_time !== null && (
            <span class="took" title="how long it took, or has been running">
              <Took run={run} />
            </span>
          )}
        </span>
        <span class="when">
          <b>{words(state)}</b> · <Started run={run} />
        </span>
      </div>
      <span class="buttons">
        {!over && run.state.type !== "CANCELLING" && (
          <IconButton drawing="cancel" label={`Cancel ${short}`} onDo={async () => ({ text: outcome(await api.cancel(run.id)) })} onDone={reload} />
        )}
        {over && run.deployment && (
          <IconButton drawing="rerun" label={`Rerun ${short}`} onDo={async () => ({ text: outcome(await api.rerun(run.id)) })} onDone={reload} />
        )}
      </span>
    </li>
  );
}
