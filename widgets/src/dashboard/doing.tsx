// What is done with a deployment by hand: a run with parameters, and a pause with an end and a reason.
import { useEffect, useRef, useState } from "preact/hooks";
import { Actions } from "./actions";
import { api, ApiError } from "./api";
import { ParameterForm } from "./form";
import { MoreOwn, NOTHING_OWN, ownOf } from "./own";
import { Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { hrefs } from "./router";
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
  const form = useFocus(!!data);
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
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const form = useFocus(true);
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.pause(id, until ? new Date(until).getTime() * 1000 : undefined, why);
      tell({ text: `${name} is paused: its schedules make no runs.` });
      onDone();
    } catch (trouble) {
      setWrong((trouble as ApiError).message);
    }
    setBusy(false);
  };
  return (
    <section class="doing" ref={form} aria-label={`Pause ${name}`}>
      <h2>Pause</h2>
      <form class="form" onSubmit={(event) => void send(event)} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
        <div class="field">
          <label for="pause-until">Until</label>
          <input
            id="pause-until"
            type="datetime-local"
            value={until}
            aria-describedby="pause-about"
            aria-invalid={wrong ? true : undefined}
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
          <p id="pause-about" class={wrong ? "wrong" : "quiet"} role={wrong ? "alert" : undefined}>
            {wrong || "Your local time. Left empty, it is paused until somebody resumes it."}
          </p>
        </div>
        <div class="field">
          <label for="pause-why">Why</label>
          <input id="pause-why" type="text" value={why} maxLength={500} onInput={(event) => setWhy(event.currentTarget.value)} />
          <p class="quiet">Shown to whoever wonders.</p>
        </div>
        <Actions verb="Pause" busy={busy} onLeave={onLeave} />
      </form>
    </section>
  );
}

/** When it is `ready`, its first field has the focus. */
function useFocus(ready: boolean) {
  const form = useRef<HTMLElement>(null);
  useEffect(() => {
    if (ready) form.current?.querySelector<HTMLElement>("input, select, button")?.focus();
  }, [ready]);
  return form;
}
