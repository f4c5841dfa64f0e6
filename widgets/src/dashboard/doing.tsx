// What is done with a deployment by hand: a run with parameters, and a pause with an end and a reason.
import { useState } from "preact/hooks";
import { api, ApiError } from "./api";
import { MomentField, TextField } from "./fields";
import { useFocus } from "./focus";
import { ParameterForm } from "./form";
import { MoreOwn, NOTHING_OWN, ownOf } from "./own";
import { Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { hrefs } from "./router";
import { Ask, type Wrong } from "./sure";
import type { Deployment } from "./types";

interface DoingProps {
  deployment: Deployment;
  onDone(): void;
  onLeave(): void;
}

/** A run of it is scheduled for now, with the parameters as deployed or as typed here. */
export function RunNowForm({ deployment, onDone, onLeave }: DoingProps) {
  const { id, name, path, flow, parameters } = deployment;
  const kernel = deployment.kernel as string | null;
  const target = flow ? `${path}:${flow}` : path;
  const { data, error, reload } = useQuery(`inspect ${target}`, () => api.inspect(target, !!deployment.allow_untagged), () => false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ApiError>();
  const form = useFocus<HTMLElement>(!!data);
  const [own, setOwn] = useState(NOTHING_OWN);
  const send = async (given: Record<string, unknown>) => {
    setBusy(true);
    try {
      const run = await api.runNow(id, given, ownOf(own));
      tell({ text: `A run of ${name} is scheduled for now.`, href: hrefs.run(run.id) });
      onDone();
    } catch (trouble) {
      setRefused(trouble as ApiError);
    }
    setBusy(false);
  };
  return (
    <section class="doing" ref={form} aria-label={`Run ${name} now`}>
      <h2>Run now</h2>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={3} />}
      {data && (
        <ParameterForm
          schema={data.schema}
          values={parameters}
          verb="Run"
          busy={busy}
          refused={refused}
          others={["kernel", "env"]}
          more={
            <MoreOwn
              texts={own}
              usual={{ kernel: kernel || "the notebook's own", env: "over those of the deployment" }}
              isFlow={!!flow}
              wrong={refused ? { field: refused.field, says: refused.message } : null}
              onTexts={setOwn}
            />
          }
          onSend={(given) => void send(given)}
          onLeave={onLeave}
        />
      )}
    </section>
  );
}

/** Its schedules make no runs: until a time, or until somebody resumes it. */
export function PauseForm({ deployment, onDone, onLeave }: DoingProps) {
  const { id, name } = deployment;
  const [until, setUntil] = useState("");
  const [why, setWhy] = useState("");
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const send = async () => {
    await api.pause(id, until ? new Date(until).getTime() * 1000 : undefined, why);
    tell({ text: `${name} is paused: its schedules make no runs.` });
    onDone();
  };
  const isWhy = wrong?.field === "why";
  return (
    <Ask title={`Pause ${name}`} verb="Pause" onSend={send} onWrong={setWrong} onLeave={onLeave}>
      <MomentField
        id="pause-until"
        label="Until"
        about="Your local time. Left empty, it is paused until somebody resumes it."
        text={until}
        wrong={isWhy ? undefined : wrong?.says}
        onText={setUntil}
      />
      <TextField
        id="pause-why"
        label="Why"
        about="Shown to whoever wonders."
        text={why}
        wrong={isWhy ? wrong.says : undefined}
        onText={setWhy}
      />
    </Ask>
  );
}
