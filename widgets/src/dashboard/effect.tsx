// What deploying would do: said before anything is saved.
import type { ComponentChildren } from "preact";
import { textOf } from "./form";
import { Ago } from "./parts";
import type { Deployment } from "./types";
import { called, differences } from "./values";
import { duration, withZone } from "../shared/times";

const SECONDS = new Set(["timeout", "cell_timeout", "start_timeout", "grace", "retry_delay", "retry_delay_max", "sla", "sla_start", "jitter", "keep"]);
const MOMENTS = new Set(["created", "updated"]);

/** The value of a field of a deployment, as people read it. */
export function shown(name: string, value: unknown): ComponentChildren {
  if (MOMENTS.has(name)) return <Ago at={value as number} />;
  if (SECONDS.has(name) && typeof value === "number") return duration(value * 1000).replace(".0 ", " ");
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  if (typeof value !== "object" || value === null) return textOf(value);
  const entries = Object.entries(value);
  return entries.map(([key, each]) => (each === null ? key : `${key} = ${textOf(each)}`)).join(", ");
}

/** On the clock of the schedules; pointed at, on that of whoever looks and in UTC. */
export function NextTimes({ of }: { of: Pick<Deployment, "next_times" | "local_times" | "timezone"> }) {
  return (
    <ol class="times" aria-label="Next times">
      {of.next_times.map((at, place) => (
        <li key={at}>
          <span title={`${of.local_times[place]} ${of.timezone}; here ${withZone(at / 1000)}; ${new Date(at / 1000).toISOString()}`}>
            {withZone(at / 1000, of.timezone)}
          </span>
          <Ago at={at} />
        </li>
      ))}
    </ol>
  );
}

/** What would be made of it; `before` is what there is. */
export function Effect({ before, after }: { before: Deployment | undefined; after: Deployment }) {
  const changes = before ? differences(before, after) : [];
  const target = after.flow ? `${after.path}:${after.flow}` : after.path;
  const words = after.words ?? [];
  return (
    <div class="callout" role="status" aria-label="What this would do">
      <p>
        <b>Nothing is saved yet.</b> {!before && <>{after.name} would run <code class="whole">{target}</code>.</>}
        {before && !changes.length && "Nothing would change."}
      </p>
      {changes.length > 0 && (
        <dl class="parameters">
          {changes.map(([field, was, is]) => (
            <div key={field}>
              <dt>{field === "words" ? "Schedules" : called(field)}</dt>
              <dd>
                {shown(field, was) || "–"} → {shown(field, is) || "–"}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {!before && words.length > 0 && <p>{words.join("; ")}</p>}
      {after.paused && <p>It stays paused: its schedules make no runs.</p>}
      {!after.paused && after.next_times.length > 0 && <NextTimes of={after} />}
      {!words.length && <p>Without a schedule it runs when you say so.</p>}
      {words.length > 0 && !after.paused && !after.next_times.length && <p>Its schedule names no time to come.</p>}
    </div>
  );
}
