// Concurrency limits: how many slots each has, and who uses and waits for them.
import { api } from "./api";
import { Empty, Failure, Loading } from "./parts";
import { useQuery } from "./query";
import type { Limit } from "./types";

export function LimitsPage() {
  const { data, error, reload } = useQuery("limits", api.limits);
  return (
    <>
      <h1 tabIndex={-1}>Limits</h1>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={4} />}
      {data && data.limits.length === 0 && <NoLimits />}
      {data && data.limits.length > 0 && <LimitTable limits={data.limits} />}
    </>
  );
}

function LimitTable({ limits }: { limits: Limit[] }) {
  return (
    <div class="sheet">
      <table class="limits">
        <thead>
          <tr>
            <th scope="col">Limit</th>
            <th scope="col" class="c-use">In use</th>
            <th scope="col" class="c-count">Slots</th>
            <th scope="col" class="c-count">Waiting</th>
          </tr>
        </thead>
        <tbody>
          {limits.map(({ name, slots, used, waiting }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="c-use">
                <meter min={0} max={Math.max(1, slots)} value={Math.min(used, slots)} aria-label={`${used} of ${slots} in use`} />
                {used}
              </td>
              <td class="c-count">{slots}</td>
              <td class="c-count">{waiting || <span class="quiet">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NoLimits() {
  return (
    <Empty title="No limits yet">
      <p>A limit says how many runs that name it may execute at once:</p>
      <pre tabIndex={0}>
        <code>orion-nb limits set database 3</code>
      </pre>
      <p>
        Tasks name it with <code>concurrency="database"</code>, deployments with <code>--limit database</code>.
      </p>
    </Empty>
  );
}
