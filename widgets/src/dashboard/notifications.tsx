// Notifications: who is told of which runs, and how; added, changed, tried out, paused, removed.
import { useState } from "preact/hooks";
import { api } from "./api";
import { Deliveries } from "./deliveries";
import { ChoiceField, TextField } from "./fields";
import { deploymentName, deployments } from "./known";
import { act, Empty, Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { Ask, Remove, type Wrong } from "./sure";
import type { Notification } from "./types";

const ON = ["failed", "crashed", "late", "recovered", "cancelled", "completed", "any"];
const WAYS: [string, string][] = [
  ["webhook", "A webhook: POST to an address, signed"],
  ["command", "A command on the server"],
  ["apprise", "Addresses of apprise: mail, chat …"],
  ["call", "A Python function on the server"],
];
const GOALS: Record<string, { label: string; hint: string; about: string }> = {
  webhook: { label: "Address", hint: "https://example.com/hook", about: "It must take a POST. The secret that signs is shown once." },
  command: { label: "Command", hint: "notify-send Orion", about: "Run without a shell; words by spaces, with \"quotes\" kept together. JSON is on its stdin." },
  apprise: { label: "Addresses", hint: "mailto://…", about: "One a line." },
  call: { label: "Function", hint: "package.module:function", about: "Called with the payload, in a process of its own." },
};

export function NotificationsPage() {
  const { data, error, reload } = useQuery("notifications", api.notifications, () => false);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<Notification | null>(null);
  const [tried, setTried] = useState(0);
  const added = (made: Notification) => {
    setAdding(false);
    setSecret(made.secret ? made : null);
    reload();
  };
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Notifications</h1>
        <div class="actions">
          <button type="button" aria-expanded={adding} onClick={() => setAdding(!adding)}>
            Tell somebody…
          </button>
        </div>
      </div>
      {adding && <NotifyForm onDone={added} onLeave={() => setAdding(false)} />}
      {secret && (
        <div class="callout" role="status">
          <p>
            <b>{secret.name} is signed with this secret, which is not shown again:</b> <code class="whole">{secret.secret}</code>
          </p>
          <div class="actions">
            <button type="button" onClick={() => setSecret(null)}>
              I have it
            </button>
          </div>
        </div>
      )}
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={4} />}
      {data && data.notifications.length === 0 && (
        <Empty title="Nobody is told yet">
          <p>When runs fail, crash or are late, a webhook, a command, mail or chat can be told.</p>
        </Empty>
      )}
      {data && data.notifications.length > 0 && (
        <ul class="sheet rows">
          {data.notifications.map((each) => (
            <Row key={each.id} told={each} reload={reload} onTried={() => setTried(tried + 1)} onChanged={added} />
          ))}
        </ul>
      )}
      {data && <Deliveries key={tried} />}
    </>
  );
}

const DO: Record<string, string> = { failed: "fail", crashed: "crash", completed: "complete", recovered: "recover", any: "enter any state" };
const does = (condition: string) => DO[condition] ?? `are ${condition}`;

/** The words as a list in a sentence: "fail, crash or are late". */
function listed(words: string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function goal({ command, webhook, call, apprise }: Notification): string {
  return command?.join(" ") ?? webhook ?? call ?? apprise?.join(", ") ?? "";
}

interface RowProps {
  told: Notification;
  reload(): void;
  onTried(): void;
  onChanged(now: Notification): void;
}

function Row({ told, reload, onTried, onChanged }: RowProps) {
  const [changing, setChanging] = useState(false);
  const [removing, setRemoving] = useState(false);
  const [trying, setTrying] = useState(false);
  const { name, paused, flow, deployment } = told;
  const test = async () => {
    setTrying(true);
    await act(async () => tryOut(name));
    setTrying(false);
    onTried();
  };
  const toggle = () =>
    act(async () => {
      await api.changeNotification(told.id, { paused: !paused });
      return { text: paused ? `${name} tells again.` : `${name} is paused: it tells nobody.` };
    }).then(reload);
  return (
    <li>
      <div>
        <h2>{name}</h2>
        <p>
          Told when {flow ? `runs of the flow ${flow}` : deployment ? `runs of ${deploymentName(deployment)}` : "runs"} {listed(told.on.map(does))}.
        </p>
        <p class="quiet">
          {told.way}: <code class="whole">{goal(told)}</code>
        </p>
      </div>
      <div class="actions">
        <button type="button" role="switch" class="switch" aria-checked={!paused} onClick={() => void toggle()}>
          <span class="spoken">{name} tells: </span>
          {paused ? "Paused" : "Active"}
        </button>
        <button type="button" disabled={trying} aria-label={`Try ${name}`} onClick={() => void test()}>
          {trying ? "Trying…" : "Try it"}
        </button>
        <button type="button" aria-label={`Change ${name}`} aria-expanded={changing} onClick={() => setChanging(!changing)}>
          Change…
        </button>
        <button type="button" class="danger" aria-label={`Remove ${name}`} aria-expanded={removing} onClick={() => setRemoving(!removing)}>
          Remove…
        </button>
      </div>
      {changing && (
        <NotifyForm
          before={told}
          onDone={(now) => {
            setChanging(false);
            onChanged(now);
          }}
          onLeave={() => setChanging(false)}
        />
      )}
      {removing && (
        <Remove name={name} remove={() => api.removeNotification(told.id)} onDone={reload} onLeave={() => setRemoving(false)}>
          Nobody is told by it any more, and its deliveries are forgotten.
        </Remove>
      )}
    </li>
  );
}

const PATIENCE_MS = 30_000;
const LOOK_MS = 300;

/** A delivery about no run is made by a server or worker; what became of its first try is told. */
async function tryOut(name: string): Promise<{ text: string; bad?: boolean }> {
  let told = await api.testNotification(name);
  const end = performance.now() + PATIENCE_MS;
  while (!told.error && told.status === "waiting" && performance.now() < end) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    told = await api.delivery(told.id);
  }
  if (told.status === "delivered") return { text: `${name}: delivered.` };
  if (told.error) return { text: `${name}: ${told.error}`, bad: true };
  return { text: `${name}: nobody made the delivery. Does a server with its scheduler, or a worker, run?`, bad: true };
}

/** The words of a command; quotes keep words together. */
export function wordsOf(command: string): string[] {
  const found = command.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
  return found.map((word) => word.replace(/^(["'])(.*)\1$/s, "$2"));
}

const SENT: Record<string, (goal: string) => unknown> = {
  webhook: (text) => text.trim(),
  call: (text) => text.trim(),
  command: wordsOf,
  apprise: (text) => text.split("\n").map((each) => each.trim()).filter(Boolean),
};

/** What stands in the field of a way; of an address the server shows the host alone, so nothing does. */
function written({ command, call }: Notification): string {
  return command?.map((word) => (/^[^\s"']+$/.test(word) ? word : `"${word}"`)).join(" ") ?? call ?? "";
}

function aboutOf({ flow, deployment }: Notification): string {
  return flow ? "flow" : deployment ? `deployment ${deploymentName(deployment, true)}` : "";
}

interface FormProps {
  /** what is changed; without it one is added */
  before?: Notification;
  onDone(made: Notification): void;
  onLeave(): void;
}

function NotifyForm({ before, onDone, onLeave }: FormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [on, setOn] = useState(before?.on ?? ["failed", "crashed"]);
  const [about, setAbout] = useState(before ? aboutOf(before) : "");
  const [flow, setFlow] = useState(before?.flow ?? "");
  const [way, setWay] = useState(before?.way ?? "webhook");
  const [where, setWhere] = useState(before ? written(before) : "");
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const key = `notify-${before?.id ?? "new"}`; // two of these forms may be open
  const isKept = way === before?.way && (way === "webhook" || way === "apprise");
  const send = async () => {
    const deployment = about.startsWith("deployment ") ? about.slice("deployment ".length) : null;
    const of = { flow: about === "flow" ? flow : null, deployment };
    const goes = isKept && !where.trim() ? {} : { [way]: SENT[way]!(where) };
    const made = before
      ? await api.changeNotification(before.id, { on, ...of, ...goes })
      : await api.notify({ name, on, ...of, ...goes });
    tell({ text: before ? `${made.name} is changed.` : `${made.name} tells from now on.` });
    onDone({ ...made, secret: made.secret?.endsWith("…") ? null : made.secret });
  };
  const toggle = (word: string) => setOn(on.includes(word) ? on.filter((each) => each !== word) : [...on, word]);
  const is = (field: string) => wrong?.field === field || wrong?.field?.startsWith(`${field}.`);
  const says = (field: string) => (is(field) ? wrong?.says : undefined);
  const told = GOALS[way]!;
  const elsewhere = wrong && !["name", "on", "flow", way].some(is);
  const choices: [string, string][] = [
    ["", "all runs"],
    ...deployments.value.map((each): [string, string] => [`deployment ${each.name}`, `runs of ${each.name}`]),
    ["flow", "runs of a flow, by its name"],
  ];
  return (
    <Ask
      title={before ? `Change ${before.name}` : "Tell somebody"}
      verb={before ? "Change" : "Add"}
      onSend={send}
      onWrong={setWrong}
      onLeave={onLeave}
    >
      {!before && <TextField id={`${key}-name`} label="Name" required text={name} onText={setName} wrong={says("name")} hint="team" />}
      <fieldset class="words-of" aria-describedby={is("on") ? `${key}-on-wrong` : undefined}>
        <legend>When a run is</legend>
        {ON.map((word) => (
          <label key={word}>
            <input type="checkbox" checked={on.includes(word)} onChange={() => toggle(word)} /> {word === "any" ? "in any state" : word}
          </label>
        ))}
        {is("on") && <p id={`${key}-on-wrong`} class="wrong" role="alert">{wrong?.says}</p>}
      </fieldset>
      <ChoiceField id={`${key}-about`} label="About" value={about} onText={setAbout} choices={choices} />
      {about === "flow" && <TextField id={`${key}-flow`} label="Flow" required text={flow} onText={setFlow} wrong={says("flow")} />}
      <ChoiceField id={`${key}-way`} label="Through" value={way} onText={setWay} choices={WAYS} />
      <TextField
        key={way}
        id={`${key}-goal`}
        label={told.label}
        required={!isKept}
        lines={way === "apprise" ? 2 : 0}
        hint={isKept ? goal(before!) : told.hint}
        text={where}
        onText={setWhere}
        wrong={says(way)}
        about={isKept ? "Left empty, it stays as it is." : told.about}
      />
      {elsewhere && (
        <p class="wrong" role="alert">
          {wrong.says}
        </p>
      )}
    </Ask>
  );
}
