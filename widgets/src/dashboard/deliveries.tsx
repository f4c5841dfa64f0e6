// Deliveries: what was told to whom, what is yet to be told, and what was given up.
import { useState } from "preact/hooks";
import { api } from "./api";
import { ChoiceField } from "./fields";
import { act, Ago, Failure, Loading } from "./parts";
import { useQuery } from "./query";
import { hrefs } from "./router";
import type { Delivery } from "./types";

const PAGE = 20;
const MOST = 200;
const STATUSES: [string, string][] = [
  ["", "all"],
  ["waiting", "to be tried (again)"],
  ["delivered", "delivered"],
  ["dead", "given up"],
];

const DID: Record<string, string> = { failed: "failed", crashed: "crashed", completed: "completed", recovered: "recovered" };

export function Deliveries() {
  const [status, setStatus] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const { data, error, reload } = useQuery(`deliveries ${status} ${limit}`, () => api.deliveries(status, limit));
  const found = data?.deliveries ?? [];
  const dead = found.filter((each) => each.status === "dead");
  const retry = (which: Delivery[]) =>
    act(async () => {
      for (const { id } of which) await api.retryDelivery(id);
      return { text: which.length === 1 ? "It is tried again." : `${which.length} are tried again.` };
    }).then(reload);
  return (
    <section class="section" aria-labelledby="deliveries-title">
      <h2 id="deliveries-title">Deliveries</h2>
      <div class="tools">
        <ChoiceField id="delivery-status" label="Show" value={status} onText={setStatus} choices={STATUSES} />
        {dead.length > 1 && (
          <button type="button" onClick={() => void retry(dead)}>
            Try all {dead.length} again
          </button>
        )}
      </div>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={3} />}
      {data && !found.length && <p class="none">{status ? "There is none." : "Nothing was told yet."}</p>}
      {found.length > 0 && (
        <ul class="sheet rows">
          {found.map((each) => (
            <Row key={each.id} told={each} onRetry={() => void retry([each])} />
          ))}
        </ul>
      )}
      {data?.cursor && limit < MOST && (
        <p class="more">
          <button type="button" onClick={() => setLimit(Math.min(MOST, limit + 60))}>
            Show older deliveries
          </button>
        </p>
      )}
    </section>
  );
}

function Row({ told, onRetry }: { told: Delivery; onRetry(): void }) {
  const { notification, condition, run, status, attempts, error, due, created } = told;
  return (
    <li data-status={status}>
      <div>
        <p>
          <b>{notification}</b>:{" "}
          {run ? (
            <>
              run <a href={hrefs.run(run)}>{run.slice(-8)}</a> {DID[condition] ?? `was ${condition}`}
            </>
          ) : (
            "tried out"
          )}
          , <Ago at={created} />
        </p>
        <p class={status === "dead" ? "wrong" : "quiet"}>
          {status === "dead" ? "given up" : status}
          {attempts > 0 && ` after ${attempts === 1 ? "one try" : `${attempts} tries`}`}
          {status === "waiting" && attempts > 0 && due !== null && (
            <>
              , next <Ago at={due} />
            </>
          )}
          {error && `: ${error}`}
        </p>
      </div>
      {status === "dead" && (
        <div class="actions">
          <button type="button" aria-label={`Try the delivery to ${notification} again`} onClick={onRetry}>
            Try again
          </button>
        </div>
      )}
    </li>
  );
}
