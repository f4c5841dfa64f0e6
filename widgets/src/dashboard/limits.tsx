// Concurrency limits: how many slots each has, who uses and waits for them; set, changed, removed.
import { useState } from "preact/hooks";
import { api } from "./api";
import { TextField } from "./fields";
import { Empty, Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { Ask, Remove, type Wrong } from "./sure";
import type { Limit } from "./types";

/** What is being done: a limit is set (a new one without a name), or removed. */
type Doing = { what: "set" | "remove"; limit: Limit | null };

export function LimitsPage() {
  const { data, error, reload } = useQuery("limits", api.limits);
  const [doing, setDoing] = useState<Doing | null>(null);
  const leave = () => setDoing(null);
  const done = () => {
    leave();
    reload();
  };
  const limit = doing?.limit ?? null;
  const form = doing && (
    <div key={`${doing.what} ${limit?.name}`}>
      {doing.what === "set" && <SetLimit limit={limit} onDone={done} onLeave={leave} />}
      {doing.what === "remove" && limit && (
        <Remove name={limit.name} remove={() => api.removeLimit(limit.name)} onDone={done} onLeave={leave}>
          Runs that wait for it go on; those that name it have the slots that they themselves give.
        </Remove>
      )}
    </div>
  );
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Limits</h1>
        <div class="actions">
          <button type="button" aria-expanded={doing !== null && !limit} onClick={() => setDoing(doing && !limit ? null : { what: "set", limit: null })}>
            Set a limit…
          </button>
        </div>
      </div>
      {!limit && form}
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={4} />}
      {data && data.limits.length === 0 && <NoLimits />}
      {data && data.limits.length > 0 && <LimitTable limits={data.limits} onDo={setDoing} />}
      {limit && form}
    </>
  );
}

function SetLimit({ limit, onDone, onLeave }: { limit: Limit | null; onDone(): void; onLeave(): void }) {
  const [name, setName] = useState(limit?.name ?? "");
  const [slots, setSlots] = useState(limit ? String(limit.slots) : "");
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const send = async () => {
    if (!/^\d+$/.test(slots.trim())) return setWrong({ field: "slots", says: "A whole number, please; 0 lets none start." });
    const made = await api.setLimit(name, Number(slots));
    tell({ text: `${made.name}: ${made.slots} at once, ${made.used} in use, ${made.waiting} waiting.` });
    onDone();
  };
  const about = (field: string) => (wrong?.field === field ? wrong.says : undefined);
  return (
    <Ask title={limit ? `Change ${limit.name}` : "Set a limit"} verb="Set" onSend={send} onWrong={setWrong} onLeave={onLeave}>
      {!limit && (
        <TextField
          id="limit-name"
          label="Name"
          required
          text={name}
          onText={setName}
          wrong={about("name")}
          about="A name that runs give, or tag:NAME, task:NAME, flow:NAME for all runs of it."
        />
      )}
      <TextField
        id="limit-slots"
        label="Slots"
        required
        mode="numeric"
        text={slots}
        onText={setSlots}
        wrong={wrong && wrong.field !== "name" ? wrong.says : undefined}
        about="How many runs at once; 0 lets none start. Runs that execute already go on."
      />
    </Ask>
  );
}

function LimitTable({ limits, onDo }: { limits: Limit[]; onDo(doing: Doing): void }) {
  return (
    <div class="sheet">
      <table class="limits stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Limit</th>
            <th role="columnheader" scope="col" class="c-use">In use</th>
            <th role="columnheader" scope="col" class="c-count">Slots</th>
            <th role="columnheader" scope="col" class="c-count">Waiting</th>
            <th role="columnheader" scope="col" class="c-do"><span class="spoken">What can be done</span></th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {limits.map((limit) => (
            <tr role="row" key={limit.name}>
              <th role="rowheader" scope="row">{limit.name}</th>
              <td role="cell" class="c-use" data-name="in use">
                <meter
                  min={0}
                  max={Math.max(1, limit.slots)}
                  value={Math.min(limit.used, limit.slots)}
                  aria-label={`${limit.used} of ${limit.slots} in use`}
                />
                {limit.used}
              </td>
              <td role="cell" class="c-count" data-name="slots">{limit.slots}</td>
              <td role="cell" class="c-count" data-name="waiting">{limit.waiting || <span class="quiet">–</span>}</td>
              <td role="cell" class="c-do">
                <div class="actions">
                  <button type="button" aria-label={`Change ${limit.name}`} onClick={() => onDo({ what: "set", limit })}>
                    Change…
                  </button>
                  <button type="button" class="danger" aria-label={`Remove ${limit.name}`} onClick={() => onDo({ what: "remove", limit })}>
                    Remove…
                  </button>
                </div>
              </td>
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
      <p>A limit says how many runs that name it may execute at once. Set one with the button above, or in a shell:</p>
      <pre tabIndex={0}>
        <code>orion-nb limits set database 3</code>
      </pre>
      <p>
        Tasks name it with <code>concurrency="database"</code>, deployments with <code>--limit database</code>.
      </p>
    </Empty>
  );
}
