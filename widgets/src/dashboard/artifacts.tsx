// What runs have shown: a list by the page, each opened on request.
import { useState } from "preact/hooks";
import { api, type ApiError } from "./api";
import { bytes } from "./cells";
import { Ago, Empty, Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { hrefs } from "./router";
import type { Artifact, ArtifactPage, FullArtifact, Run } from "./types";

const PAGE = 50;

export function ArtifactsPage() {
  return (
    <>
      <h1 tabIndex={-1}>Artifacts</h1>
      <ArtifactList empty={<NoArtifacts />} />
    </>
  );
}

/** What a run has shown; nothing where it has shown nothing. */
export function RunArtifacts({ run }: { run: Run }) {
  return <ArtifactList run={run.id} title />;
}

function ArtifactList({ run, title, empty = null }: { run?: string; title?: boolean; empty?: preact.ComponentChild }) {
  const mine = (event: { run: string; root: string }) => !run || event.run === run || event.root === run;
  const { data, error, reload } = useQuery<ArtifactPage>(`artifacts ${run}`, () => api.artifacts({ run, limit: PAGE }), mine);
  const [older, setOlder] = useState<ArtifactPage | null>(null);
  if (error && !data) return <Failure error={error} again={reload} />;
  if (!data) return title ? null : <Loading />;
  const known = new Set(data.artifacts.map(({ id }) => id));
  const all = [...data.artifacts, ...(older?.artifacts ?? []).filter(({ id }) => !known.has(id))];
  const cursor = older ? older.cursor : data.cursor;
  const more = async () => {
    try {
      const page = await api.artifacts({ run, limit: PAGE, cursor: cursor ?? undefined });
      setOlder({ artifacts: [...(older?.artifacts ?? data.artifacts), ...page.artifacts], cursor: page.cursor });
    } catch (trouble) {
      tell({ text: (trouble as ApiError).message, bad: true });
    }
  };
  if (!all.length) return <>{empty}</>;
  return (
    <>
      {title && <h2>Artifacts</h2>}
      {run && (
        <p class="quiet">
          <a href={api.shown(run)} download>
            Download all, with the images of its cells
          </a>
        </p>
      )}
      <ul class="artifacts">
        {all.map((artifact) => (
          <Shown key={artifact.id} artifact={artifact} named={!run} />
        ))}
      </ul>
      {cursor && (
        <div class="more">
          <button type="button" onClick={() => void more()}>
            Show older artifacts
          </button>
        </div>
      )}
    </>
  );
}

function Shown({ artifact, named }: { artifact: Artifact; named: boolean }) {
  const [full, setFull] = useState<FullArtifact | null>(null);
  const open = async (event: { currentTarget: HTMLDetailsElement }) => {
    if (!event.currentTarget.open || full) return;
    try {
      setFull(await api.artifact(artifact.id));
    } catch (trouble) {
      tell({ text: (trouble as ApiError).message, bad: true });
    }
  };
  const kinds = artifact.types.filter((type, _, all) => type !== "text/plain" || all.length === 1).join(", ");
  return (
    <li class="artifact">
      <details onToggle={(event) => void open(event)}>
        <summary>
          <b>{artifact.key ?? artifact.description ?? kinds}</b>
          {artifact.version !== null && <span class="tag">version {artifact.version}</span>}
          <span class="quiet">
            {kinds} · {bytes(artifact.size)} · <Ago at={artifact.created} />
          </span>
        </summary>
        {artifact.key && artifact.description && <p>{artifact.description}</p>}
        {full ? <Content artifact={full} /> : <Loading rows={2} />}
        <p>
          <a href={api.content(artifact.id)} download>
            Download
          </a>
        </p>
        {named && (
          <p>
            <a href={hrefs.run(artifact.run)}>The run that has shown it</a>
          </p>
        )}
      </details>
    </li>
  );
}

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/svg+xml"];
const TEXTS = ["text/markdown", "text/plain", "application/json", "text/html"];

/** An image as one, all else as text: nothing of it becomes part of this page. */
function Content({ artifact }: { artifact: FullArtifact }) {
  const { data, binary } = artifact;
  const image = IMAGES.find((type) => typeof data[type] === "string");
  if (image) {
    const held = data[image] as string;
    const source = binary.includes(image) ? `data:${image};base64,${held}` : `data:${image},${encodeURIComponent(held)}`;
    return <img src={source} alt={artifact.description ?? artifact.key ?? "What the run has shown"} />;
  }
  const text = TEXTS.find((type) => data[type] !== undefined && !binary.includes(type));
  if (!text) {
    return (
      <p class="quiet">There is nothing of it that could be shown here.</p>
    );
  }
  const told = data[text];
  return <pre tabIndex={0}>{typeof told === "string" ? told : JSON.stringify(told, null, 2)}</pre>;
}

function NoArtifacts() {
  return (
    <Empty title="No artifacts yet">
      <p>Tables, plots and texts that runs show are kept with them:</p>
      <pre tabIndex={0}>
        <code>{"from orion_nb import artifact\n\nartifact(table, key=\"sales-by-shop\")"}</code>
      </pre>
    </Empty>
  );
}
