// One run: how it stands, the tasks in it, and what happened and why.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, type ApiError } from "./api";
import { RunArtifacts } from "./artifacts";
import { Cells, isNotebook, useCells } from "./cells";
import { deploymentName } from "./known";
import { RunLogs } from "./logs";
import { RerunForm } from "./own";
import { act, Ago, Bar, Empty, Failure, isLate, Loading, outcome, RunState, Took } from "./parts";
import { now } from "./live";
import { useQuery } from "./query";
import { replayNotebook } from "./replaying";
import { focusHeading, hrefs, place } from "./router";
import { Remove } from "./sure";
import { Message, Story } from "./story";
import { TaskTable, tree } from "./tasks";
import type { LiveEvent, Run, Why } from "./types";
import { isTerminal } from "../shared/looks";

const PAGE = 200;
const MOST = 2000;

/** The run's story, and the runs of its tree as far as they are shown. */
async function loadRun(id: string): Promise<Why & { counts: Record<string, number> }> {
  const why = await api.why(id);
  const below = why.run.root === why.run.id ? { root: why.run.id } : { parent: why.run.id };
  if (!why.tasks.length) return { ...why, counts: {} };
  const [tasks, { counts }] = await Promise.all([loadBelow(below), api.counts(below)]);
  if (below.root) {
    const own = isLate(why.run, now.value) ? "Late" : why.run.state.type;
    counts[own] = Math.max(0, (counts[own] ?? 0) - 1);
  }
  return { ...why, tasks, counts };
}

async function loadBelow(below: { root?: string; parent?: string }): Promise<Run[]> {
  const runs: Run[] = [];
  let cursor: string | null = null;
  do {
    const page = await api.runs({ ...below, limit: PAGE, ...(cursor ? { cursor } : {}) });
    runs.push(...page.runs);
    cursor = page.cursor;
  } while (cursor && runs.length < MOST);
  return runs;
}

export function RunPage({ id }: { id: string }) {
  const root = useRef(id);
  const concerns = (event: LiveEvent) => event.run === id || event.root === root.current;
  const { data, error, reload } = useQuery(id, () => loadRun(id), concerns);
  if (data) root.current = data.run.root;
  const task = place.value.query.get("task") ?? "";
  const branches = useMemo(() => (data ? tree(data.tasks, data.run.id) : []), [data]);
  if (!data) return <NotYet id={id} error={error} again={reload} />;
  const { run } = data;
  const chosen = branches.find((branch) => branch.run.id === task)?.run;
  return (
    <>
      <RunHeader run={run} awaits={[run, ...data.tasks].some(({ state }) => state.name === "AwaitingRetry")} pinned={data.pin !== null} reload={reload} />
      {error && <Failure error={error} again={reload} />}
      {run.state.message && <Callout run={run} />}
      <div class="two">
        <div>
          {isNotebook(run) && <CellSection run={run} />}
          {(branches.length > 0 || !isNotebook(run)) && (
            <section aria-labelledby="tasks-title">
              <h2 id="tasks-title">Tasks</h2>
              {branches.length > 0 ? (
                <>
                  <Bar counts={data.counts} />
                  <TaskTable top={run} branches={branches} chosen={task} />
                </>
              ) : (
                <NoTasks run={run} />
              )}
            </section>
          )}
          <Parameters run={run} />
          <RunArtifacts run={run} />
          <RunLogs run={run} />
        </div>
        <section class="side" aria-labelledby="story-title" tabIndex={0}>
          {task ? <TaskStory key={task} top={run} id={task} known={chosen} /> : <RunStory why={data} />}
        </section>
      </div>
    </>
  );
}

function NotYet({ id, error, again }: { id: string; error: ApiError | undefined; again(): void }) {
  return (
    <>
      <h1 tabIndex={-1}>Run {id.slice(-8)}</h1>
      {error ? <Failure error={error} again={again} /> : <Loading />}
    </>
  );
}

interface HeaderProps {
  run: Run;
  /** it, or a run in it, awaits a retry */
  awaits: boolean;
  pinned: boolean;
  reload(): void;
}

function RunHeader({ run, awaits, pinned, reload }: HeaderProps) {
  const [asked, setAsked] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const [isDeleting, setDeleting] = useState(false);
  const leave = () => (location.hash = hrefs.runs());
  const done = () => {
    setAsking(false);
    reload();
  };
  const called = run.run_name ?? run.name;
  useEffect(focusHeading, []);
  useEffect(() => {
    document.title = `${called} · Orion`;
  }, [called]);
  const cancel = async () => {
    setAsked(true);
    await act(async () => ({ text: outcome(await api.cancel(run.id)) }));
    setAsked(false);
    reload();
  };
  const rerun = async () => {
    setAsked(true);
    await act(async () => ({ text: outcome(await api.rerun(run.id)) }));
    setAsked(false);
    reload();
  };
  const retry = async () => {
    setAsked(true);
    await act(async () => {
      const { retried } = await api.retryNow(run.id);
      return { text: `Retried now: ${[...new Set(retried.map(({ name }) => name))].join(", ")}.` };
    });
    setAsked(false);
    reload();
  };
  const pinOrNot = async () => {
    await act(async () => {
      await (pinned ? api.unpin(run.id) : api.pin(run.id));
      return { text: pinned ? "It is forgotten with others of its age." : "It is kept, however old it gets." };
    });
    reload();
  };
  const replay = async () => {
    setAsked(true);
    await act(async () => {
      const address = await replayNotebook(run.id);
      window.open(address, "_blank");
      return { text: "The notebook is there, and takes the run up.", href: address };
    });
    setAsked(false);
  };
  const notebook = isNotebook(run) && run.start_time !== null;
  return (
    <header class="run-head">
      <nav aria-label="Breadcrumb">
        <a href={hrefs.runs()}>Runs</a>
        {run.parent && <a href={hrefs.run(run.parent)}>the run it is part of</a>}
      </nav>
      <div class="title">
        <h1 tabIndex={-1}>{called}</h1>
        <div class="actions">
          {notebook && (
            <>
              <a class="button" href={api.notebook(run.id, "html")} target="_blank" rel="noopener">
                Executed notebook
              </a>
              <a class="button" href={api.notebook(run.id, "ipynb")} download={`${run.name}-${run.id.slice(-8)}.ipynb`}>
                Download .ipynb
              </a>
            </>
          )}
          {(run.state.type === "FAILED" || run.state.type === "CRASHED") && (
            <button type="button" disabled={asked} onClick={() => void replay()}>
              Replay in notebook
            </button>
          )}
          <button type="button" aria-pressed={pinned} title="Kept however old it gets" onClick={() => void pinOrNot()}>
            {pinned ? "Pinned" : "Pin"}
          </button>
          {isTerminal(run.state.type) && !run.parent && (
            <button type="button" class="danger" aria-expanded={isDeleting} onClick={() => setDeleting(!isDeleting)}>
              Delete…
            </button>
          )}
          {isTerminal(run.state.type) && run.deployment && (
            <>
              <button type="button" aria-expanded={isAsking} onClick={() => setAsking(!isAsking)}>
                Rerun with…
              </button>
              <button type="button" disabled={asked} onClick={() => void rerun()}>
                Rerun
              </button>
            </>
          )}
          {awaits && (
            <button type="button" disabled={asked} onClick={() => void retry()}>
              Retry now
            </button>
          )}
          {!isTerminal(run.state.type) && (
            <button type="button" class="danger" disabled={asked || run.state.type === "CANCELLING"} onClick={() => void cancel()}>
              Cancel run
            </button>
          )}
        </div>
      </div>
      {isDeleting && (
        <Remove name={`${called} ${run.id.slice(-8)}`} remove={() => api.deleteRun(run.id)} onDone={leave} onLeave={() => setDeleting(false)}>
          The runs in it, its logs, artifacts, results and executed notebook go with it. This can't be undone.
        </Remove>
      )}
      {isAsking && <RerunForm run={run} isFlow={!!run.key?.startsWith("flow:")} onDone={done} onLeave={() => setAsking(false)} />}
      <RunFacts run={run} />
    </header>
  );
}

function RunFacts({ run }: { run: Run }) {
  const due = run.scheduled_time ?? run.state.scheduled_time;
  return (
    <dl class="about">
      <Fact name="State">
        <RunState run={run} />
      </Fact>
      <Fact name={run.start_time !== null ? "Started" : due !== null ? "Due" : "Created"}>
        <Ago at={run.start_time ?? due ?? run.created} />
      </Fact>
      <Fact name="Took">
        <Took run={run} />
      </Fact>
      {run.attempt > 1 && <Fact name="Attempts">{run.attempt}</Fact>}
      {run.deployment && <Fact name="Deployment">
          <a href={hrefs.deployment(deploymentName(run.deployment, true))}>{deploymentName(run.deployment)}</a>
        </Fact>}
      {run.policy.kernel && <Fact name="Kernel">{run.policy.kernel}</Fact>}
      {Object.keys(run.policy.env).length > 0 && (
        <Fact name="Environment">
          {Object.entries(run.policy.env).map(([name, value]) => (
            <code key={name} class="variable">{`${name}=${value}`}</code>
          ))}
        </Fact>
      )}
      {run.tags.length > 0 && (
        <Fact name="Tags">
          {run.tags.map((tag) => (
            <span key={tag} class="tag">
              {tag}
            </span>
          ))}
        </Fact>
      )}
      <Fact name="Run">
        <code title={run.id}>{run.id.slice(-8)}</code>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Callout({ run }: { run: Run }) {
  const bad = run.state.type === "FAILED" || run.state.type === "CRASHED";
  return (
    <div class={bad ? "callout bad" : "callout"}>
      <Message text={run.state.message ?? ""} />
    </div>
  );
}

function CellSection({ run }: { run: Run }) {
  const told = useCells(run);
  return (
    <section aria-labelledby="cells-title">
      <h2 id="cells-title">Cells</h2>
      {told ? <Cells run={run} told={told} /> : <p class="none">{told === null ? "None has been executed yet." : "…"}</p>}
    </section>
  );
}

function NoTasks({ run }: { run: Run }) {
  const waits = run.state.type === "SCHEDULED" || run.state.type === "PENDING";
  return (
    <p class="none">
      {waits
        ? "None yet: tasks appear here as they start."
        : "This run has no tasks. Functions with @task and cells that begin with %%task appear here."}
    </p>
  );
}

function Parameters({ run }: { run: Run }) {
  const entries = Object.entries(run.parameters ?? {});
  if (!entries.length) return null;
  return (
    <>
      <h2>Parameters</h2>
      <dl class="parameters">
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function RunStory({ why }: { why: Why }) {
  return (
    <>
      <h2 id="story-title">What happened, and why</h2>
      <Story entries={why.states} blocked={why.blocked} />
      {why.summary.length > 0 && (
        <details class="plain">
          <summary>The same in plain text</summary>
          <pre tabIndex={0}>{why.summary.join("\n")}</pre>
        </details>
      )}
    </>
  );
}

function TaskStory({ top, id, known }: { top: Run; id: string; known: Run | undefined }) {
  const { data, error, reload } = useQuery(id, () => api.why(id), (event) => event.run === id);
  const run = data?.run ?? known;
  return (
    <>
      <h2 id="story-title">
        What happened to <em>{run?.run_name ?? run?.name ?? "this task"}</em>, and why
      </h2>
      <p class="back">
        <a href={hrefs.run(top.id)}>← The story of the whole run</a>
        {run && <code title={run.id}>{run.id.slice(-8)}</code>}
      </p>
      {error && <Failure error={error} again={reload} />}
      {data ? <Story entries={data.states} blocked={data.blocked} /> : !error && <Loading rows={4} />}
      {data && <Parameters run={data.run} />}
    </>
  );
}

export function Lost() {
  return (
    <Empty title="There is no such page" alone>
      <p>
        Go to the <a href={hrefs.runs()}>runs</a> or the <a href="#/deployments">deployments</a>.
      </p>
    </Empty>
  );
}
