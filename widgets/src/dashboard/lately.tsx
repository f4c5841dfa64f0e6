// The last runs of a deployment as a small sound wave.
import { hrefs } from "./router";
import type { Run } from "./types";
import { lookOf, words } from "../shared/looks";
import { duration } from "../shared/times";

/** The last runs, oldest first: a bar each, as high as it took long, in the colour of its state. */
export function LastRuns({ runs }: { runs: Run[] }) {
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
