// A deployment is made or changed: what it runs, when, and all that can be said of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "./api";
import { Effect, NextTimes } from "./effect";
import { MomentField, OptionField, TextField } from "./fields";
import { useFocus } from "./focus";
import { Failure, Loading, sentence, tell } from "./parts";
import { useQuery } from "./query";
import { Parameters, parametersOf } from "./parameters";
import type { Deployment, DeployOption, DeployOptions, Preview } from "./types";
import { fieldsOf, read, type Texts, Unreadable, wallTime, written } from "./values";

interface FormProps {
  /** what is changed; without it one is made */
  deployment?: Deployment | undefined;
  /** what is deployed, to begin with */
  path?: string;
  onDone(name: string): void;
  onLeave(): void;
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const BOUNDS = ["starts", "ends"] as const;
const WHEN = ["schedules", "zone", ...BOUNDS];
const TYPING_MS = 400;
/** The options that most people want; the others wait below them. */
const FIRST = ["retries", "timeout", "tags"];
const GROUPS = { execution: "How it is run", rules: "When runs meet, wait or are late", itself: "To begin with" };

function textsOf(of: Deployment | undefined, options: DeployOption[], path: string): Texts {
  const zones = new Set((of?.schedules ?? []).map(({ timezone }) => timezone).filter(Boolean));
  const zone = zones.size === 1 ? String([...zones][0]) : ZONE;
  const bounds = boundsOf(of);
  return {
    name: of?.name ?? nameFor(path),
    path: of ? (of.flow ? `${of.path}:${of.flow}` : of.path) : path,
    zone,
    schedules: (of?.schedules ?? []).map(({ ...each }) => {
      for (const name of Object.keys(bounds)) delete each[name];
      return lineOf(each, zone);
    }).join("\n"),
    ...Object.fromEntries(BOUNDS.map((name) => [name, bounds[name] ? wallTime(bounds[name], zone) : ""])),
    parameters: of && Object.keys(of.parameters).length ? JSON.stringify(of.parameters) : "",
    ...Object.fromEntries(options.map((option) => [option.field, of ? written(option, of[option.field]) : ""])),
  };
}

/** A name for what is at a path: that of the file, without what names don't have. */
function nameFor(path: string): string {
  const file = path.split("/").pop()!.replace(/\.[^.]*$/, "");
  return file.replace(/[^\w .-]+/g, "-").replace(/^\W+/, "").slice(0, 100);
}

/** The start and the end that all of its schedules have. */
function boundsOf(of: Deployment | undefined): Record<string, string> {
  const [first, ...others] = of?.schedules ?? [];
  const same = BOUNDS.filter((name) => first?.[name] && others.every((each) => each[name] === first[name]));
  return Object.fromEntries(same.map((name) => [name, String(first![name])]));
}

/** The same as they are typed; one that was not touched is what it was, to the microsecond. */
function typedBounds(texts: Texts, before: Texts, of: Deployment | undefined): Record<string, string> {
  const known = boundsOf(of);
  const isAsBefore = (name: string) => texts[name] === before[name] && texts.zone === before.zone;
  const typed = BOUNDS.filter((name) => texts[name]);
  return Object.fromEntries(typed.map((name) => [name, (isAsBefore(name) && known[name]) || texts[name]!]));
}

/** A schedule as a line: the text that says it all, or else JSON. */
function lineOf(schedule: Record<string, unknown>, zone: string): string {
  const { kind, cron, every, timezone, day_or: dayOr, dst, anchor, starts, ends } = schedule;
  if (starts || ends) return JSON.stringify(schedule);
  if (kind === "cron" && timezone === zone && dayOr === true && dst === "once") return String(cron);
  if (kind === "interval" && !anchor && timezone === zone) return String(every);
  return JSON.stringify(schedule);
}

/** The lines as the API takes them; texts are read in the zone that is typed beside them. */
async function schedulesOf(text: string, zone: string, bounds: Record<string, string>): Promise<Preview> {
  const lines = text.split("\n").filter((line) => line.trim());
  const [bound] = Object.keys(bounds);
  if (!lines.length && bound) throw new Unreadable(bound, "There is no schedule that it is said of.");
  if (!lines.length) return { schedules: [], next_times: [], timezone: zone, local_times: [] };
  try {
    return await api.preview(lines.map((line) => (line.trim().startsWith("{") ? (JSON.parse(line) as object) : line)), zone.trim(), bounds);
  } catch (error) {
    throw isOfALine(error) ? new Unreadable("schedules", error.message) : error;
  }
}

/** What can't be read is a line itself, not the zone or the bounds beside it. */
function isOfALine(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 422 && !["timezone", ...BOUNDS].includes(error.field ?? "");
}

/** What is typed of the parameters names this one. */
function isParameter(text: string, name: string): boolean {
  try {
    return name in parametersOf(text);
  } catch {
    return false;
  }
}

/** What is sent: all that is said, or of one that is there what was changed. */
async function toldOf(
  texts: Texts, before: Texts | undefined, options: DeployOption[], bounds: Record<string, string>,
): Promise<Record<string, unknown>> {
  const told: Record<string, unknown> = {};
  const isNew = (field: string) => texts[field] !== (before ? before[field] : "");
  if (isNew("schedules") || BOUNDS.some(isNew) || (before && isNew("zone"))) {
    const { schedules } = await schedulesOf(texts.schedules!, texts.zone!, bounds);
    told.schedules = schedules.map(({ words: _, ...schedule }) => schedule);
  }
  if (isNew("path")) told.path = texts.path!.trim();
  if (isNew("parameters")) {
    try {
      told.parameters = parametersOf(texts.parameters!);
    } catch {
      throw new Unreadable("parameters", 'A JSON object, please: {"limit": 5}');
    }
  }
  for (const option of options.filter(({ field }) => isNew(field))) told[option.field] = read(option, texts[option.field]!);
  return told;
}

export function DeployForm(props: FormProps) {
  const { data, error, reload } = useQuery("deployment options", api.deploymentOptions, () => false);
  const { deployment } = props;
  return (
    <section class="doing" aria-label={deployment ? `Change ${deployment.name}` : "Deploy"}>
      <h2>{deployment ? "Change" : "Deploy"}</h2>
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={5} />}
      {data && <Form {...props} described={data} />}
    </section>
  );
}

function Form({ deployment, path = "", onDone, onLeave, described }: FormProps & { described: DeployOptions }) {
  const options = fieldsOf(described.options).filter(({ field }) => !(deployment && field === "paused"));
  const [before] = useState(() => textsOf(deployment, options, path));
  const [texts, setTexts] = useState(before);
  const [wrong, setWrong] = useState<{ field: string; says: string; name?: string } | null>(null);
  const [found, setFound] = useState<Preview | null>(null);
  const [would, setWould] = useState<Deployment | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useFocus<HTMLFormElement>();
  const set = (field: string, text: string) => {
    setTexts((now) => ({ ...now, [field]: text }));
    setWould(null);
  };
  const fail = (error: unknown) => {
    const { message, field, isForbidden, remedy } = error as ApiError;
    if (isForbidden) return setWrong({ field: "", says: `${sentence(message)} ${remedy}` });
    if (field && isParameter(texts.parameters!, field)) return setWrong({ field: "parameters", says: message, name: field });
    const about = Object.keys(texts).find((each) => field === each || field?.startsWith(`${each}.`));
    const of = error instanceof SyntaxError ? "schedules" : field === "timezone" ? "zone" : (about ?? "");
    setWrong({ field: of, says: error instanceof SyntaxError ? `No JSON: ${message}` : message });
  };
  // As it is typed, not when it is left: what moves while a button is pressed makes it miss.
  useEffect(() => {
    if (!texts.schedules!.trim() || WHEN.every((each) => texts[each] === before[each])) return setFound(null);
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const next = await schedulesOf(texts.schedules!, texts.zone!, typedBounds(texts, before, deployment));
        if (!isCurrent) return;
        setFound(next);
        setWrong((now) => (now && WHEN.includes(now.field) ? null : now));
      } catch (error) {
        if (!isCurrent) return;
        setFound(null);
        fail(error);
      }
    }, TYPING_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, WHEN.map((each) => texts[each]));
  const attempt = async (work: (told: Record<string, unknown>) => Promise<void>) => {
    setBusy(true);
    setWrong(null);
    setWould(null);
    try {
      await work(await toldOf(texts, deployment && before, options, typedBounds(texts, before, deployment)));
    } catch (error) {
      fail(error);
    }
    setBusy(false);
  };
  const named = (told: Record<string, unknown>) => ({ name: texts.name, ...told });
  const send = () =>
    attempt(async (told) => {
      const made = deployment ? await api.change(deployment.id, told) : await api.deploy(named(told));
      tell({ text: deployment ? `${made.name} is changed.` : `${made.name} is deployed.` });
      onDone(made.name);
    });
  const check = () =>
    attempt(async (told) =>
      setWould(deployment ? await api.checkChange(deployment.id, told) : await api.check(named(told))),
    );
  const field = (name: string) => ({
    id: `deploy-${name}`,
    text: texts[name] ?? "",
    wrong: wrong?.field === name ? wrong.says : undefined,
    onText: (text: string) => set(name, text),
  });
  const fieldOf = (option: DeployOption) => (
    <OptionField key={option.field} option={option} {...field(option.field)} names={described.names[option.names]} />
  );
  const first = options.filter(({ field: name }) => FIRST.includes(name));
  const rest = options.filter(({ field: name }) => !FIRST.includes(name));
  const isSame = JSON.stringify(before) === JSON.stringify(texts);
  return (
    <form
      class="form wide"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
      onKeyDown={(event) => event.key === "Escape" && isSame && onLeave()}
    >
      <div class="form">
        {!deployment && <TextField {...field("name")} label="Name" required about="Letters, digits, spaces, dots, dashes and underscores." />}
        <TextField
          {...field("path")}
          label="Notebook or flow"
          required
          hint="reports/daily.ipynb"
          about="A path on the server: notebook.ipynb, or file.py:flow."
        />
        <TextField
          {...field("schedules")}
          label="Schedules"
          lines={3}
          hint={"0 9 * * 1-5\n15m"}
          about="One a line: cron, an interval, an RFC 5545 rule, a date and time, or JSON. None: it runs when you say so."
        />
        <TextField
          {...field("zone")}
          label="Time zone"
          list={described.names.zones}
          about="What the times of its schedules, and these, are read in."
        />
        <MomentField {...field("starts")} label="From" about="Its schedules name no time before. Empty: from now on." />
        <MomentField {...field("ends")} label="Until" about="Its schedules name no time after. Empty: without an end." />
        {found && (
          <div class="preview" role="status">
            <p>{found.schedules.map(({ words }) => words).join("; ")}</p>
            <NextTimes of={found} />
          </div>
        )}
        <Parameters
          path={texts.path!}
          anything={texts.allow_untagged === "true"}
          text={texts.parameters!}
          wrong={wrong?.field === "parameters" ? { name: wrong.name ?? "", says: wrong.says } : undefined}
          onText={(text) => set("parameters", text)}
        />
        {first.map(fieldOf)}
      </div>
      <More options={rest} texts={texts} wrong={wrong?.field} fieldOf={fieldOf} />
      {wrong && !wrong.field && (
        <p class="wrong" role="alert">
          {wrong.says}
        </p>
      )}
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>
          {deployment ? "Change" : "Deploy"}
        </button>
        <button type="button" disabled={busy} onClick={() => form.current?.reportValidity() && void check()}>
          What would this do?
        </button>
        <button type="button" onClick={onLeave}>
          Cancel
        </button>
      </div>
      {would && <Effect before={deployment} after={would} />}
    </form>
  );
}

interface MoreProps {
  options: DeployOption[];
  texts: Texts;
  wrong: string | undefined;
  fieldOf(option: DeployOption): preact.ComponentChildren;
}

/** All else that can be said, out of the way until it is wanted, or wrong. */
function More({ options, texts, wrong, fieldOf }: MoreProps) {
  const more = useRef<HTMLDetailsElement>(null);
  const isWrong = options.some(({ field }) => field === wrong);
  useEffect(() => {
    if (isWrong && more.current) more.current.open = true;
  }, [isWrong]);
  const said = options.filter(({ field }) => texts[field]).length;
  const groups = [...new Set(options.map(({ group }) => group))];
  return (
    <details class="more-options" ref={more}>
      <summary>
        More options{said > 0 && <span class="quiet"> · {said} set</span>}
      </summary>
      {groups.map((group) => (
        <fieldset key={group}>
          <legend>{GROUPS[group as "rules"] ?? "What it takes"}</legend>
          <div class="fields">{options.filter((option) => option.group === group).map(fieldOf)}</div>
        </fieldset>
      ))}
    </details>
  );
}
