// A deployment is made or changed: what it runs, when, with which parameters; and removed.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type ApiError } from "./api";
import { tell } from "./parts";
import { NextTimes } from "./deployment";
import type { Deployment, Preview } from "./types";

interface FormProps {
  /** what is changed; without it one is made */
  deployment?: Deployment;
  onDone(name: string): void;
  onLeave(): void;
}

type Texts = Record<"name" | "path" | "schedules" | "parameters" | "retries" | "timeout" | "tags", string>;

function textsOf(of: Deployment | undefined): Texts {
  return {
    name: of?.name ?? "",
    path: of ? (of.flow ? `${of.path}:${of.flow}` : of.path) : "",
    schedules: (of?.schedules ?? []).map(lineOf).join("\n"),
    parameters: of && Object.keys(of.parameters).length ? JSON.stringify(of.parameters) : "",
    retries: of ? String(of.retries) : "",
    timeout: typeof of?.timeout === "number" ? `${of.timeout}s` : "",
    tags: (of?.tags ?? []).join(", "),
  };
}

/** A schedule as a line: the text that says it all, or else JSON. */
function lineOf(schedule: Record<string, unknown>): string {
  const { kind, cron, every, timezone, day_or: dayOr, dst, anchor, starts, ends } = schedule;
  if (starts || ends) return JSON.stringify(schedule);
  if (kind === "cron" && timezone === ZONE && dayOr === true && dst === "once") return String(cron);
  if (kind === "interval" && !anchor && timezone === ZONE) return String(every);
  return JSON.stringify(schedule);
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The lines as the API takes them; texts are read in the zone of whoever types them. */
async function schedulesOf(text: string): Promise<Preview> {
  const lines = text.split("\n").filter((line) => line.trim());
  if (!lines.length) return { schedules: [], next_times: [], timezone: ZONE, local_times: [] };
  return api.preview(lines.map((line) => (line.trim().startsWith("{") ? (JSON.parse(line) as object) : line)), ZONE);
}

function parametersOf(text: string): Record<string, unknown> {
  const told: unknown = text.trim() ? JSON.parse(text) : {};
  if (typeof told !== "object" || told === null || Array.isArray(told)) throw new SyntaxError("no object");
  return told as Record<string, unknown>;
}

export function DeployForm({ deployment, onDone, onLeave }: FormProps) {
  const [texts, setTexts] = useState(() => textsOf(deployment));
  const [wrong, setWrong] = useState<{ field: string | null; says: string } | null>(null);
  const [found, setFound] = useState<Preview | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("input, textarea")?.focus(), []);
  const set = (field: keyof Texts, text: string) => setTexts((before) => ({ ...before, [field]: text }));
  const fail = (field: string, says: string) => {
    setWrong({ field, says });
    setBusy(false);
  };
  const preview = async () => {
    setFound(null);
    if (!texts.schedules.trim()) return;
    try {
      setFound(await schedulesOf(texts.schedules));
      setWrong(null);
    } catch (error) {
      setWrong({ field: "schedules", says: saysOf(error) });
    }
  };
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setWrong(null);
    let told: Record<string, unknown>;
    try {
      const { schedules } = await schedulesOf(texts.schedules);
      told = { schedules: schedules.map(({ words: _, ...schedule }) => schedule) };
    } catch (error) {
      return fail("schedules", saysOf(error));
    }
    try {
      told.parameters = parametersOf(texts.parameters);
    } catch {
      return fail("parameters", 'A JSON object, please: {"limit": 5}');
    }
    const tags = texts.tags.split(",").map((tag) => tag.trim()).filter(Boolean);
    Object.assign(told, { tags, retries: Number(texts.retries || 0), timeout: texts.timeout.trim() || null });
    try {
      const made = deployment
        ? await api.change(deployment.id, told)
        : await api.deploy({ name: texts.name, path: texts.path, ...told });
      tell({ text: deployment ? `${made.name} is changed.` : `${made.name} is deployed.` });
      onDone(made.name);
    } catch (error) {
      const { field, message } = error as ApiError;
      const about = field && Object.keys(texts).find((each) => field === each || field.startsWith(`${each}.`));
      fail(about || "", message);
    }
  };
  const props = (field: keyof Texts) => ({
    id: `deploy-${field}`,
    value: texts[field],
    spellcheck: false,
    autocomplete: "off",
    "aria-describedby": `deploy-about-${field}`,
    "aria-invalid": wrong?.field === field ? true : undefined,
    onInput: (event: { currentTarget: { value: string } }) => set(field, event.currentTarget.value),
  });
  const about = (field: keyof Texts, says: string) => (
    <p id={`deploy-about-${field}`} class={wrong?.field === field ? "wrong" : "quiet"} role={wrong?.field === field ? "alert" : undefined}>
      {wrong?.field === field ? wrong.says : says}
    </p>
  );
  return (
    <section class="doing" ref={form} aria-label={deployment ? `Change ${deployment.name}` : "Deploy"}>
      <h2>{deployment ? "Change" : "Deploy"}</h2>
      <form class="form" onSubmit={(event) => void send(event)} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
        {!deployment && (
          <>
            <div class="field">
              <label for="deploy-name">Name</label>
              <input type="text" required {...props("name")} />
              {about("name", "Letters, digits, spaces, dots, dashes and underscores.")}
            </div>
            <div class="field">
              <label for="deploy-path">Notebook or flow</label>
              <input type="text" required placeholder="reports/daily.ipynb" {...props("path")} />
              {about("path", "A path on the server: notebook.ipynb, or file.py:flow.")}
            </div>
          </>
        )}
        <div class="field">
          <label for="deploy-schedules">Schedules</label>
          <textarea rows={3} placeholder={"0 9 * * 1-5\n15m"} {...props("schedules")} onBlur={() => void preview()} />
          {about("schedules", `One a line: cron, an interval, an RFC 5545 rule, a date and time, or JSON; read in ${ZONE}.`)}
          {found && (
            <>
              <p>{found.schedules.map(({ words }) => words).join("; ")}</p>
              <NextTimes of={found} />
            </>
          )}
        </div>
        <div class="field">
          <label for="deploy-parameters">Parameters</label>
          <input type="text" placeholder='{"limit": 5}' {...props("parameters")} />
          {about("parameters", "JSON; what is not given is as the notebook says.")}
        </div>
        <div class="field">
          <label for="deploy-retries">Retries</label>
          <input type="number" min={0} max={100} placeholder="0" {...props("retries")} />
          {about("retries", "How often a failed run is tried again.")}
        </div>
        <div class="field">
          <label for="deploy-timeout">Timeout</label>
          <input type="text" placeholder="1h" {...props("timeout")} />
          {about("timeout", "The longest an attempt may take: 90s, 10m, 1h30m. Empty: as long as it likes.")}
        </div>
        <div class="field">
          <label for="deploy-tags">Tags</label>
          <input type="text" placeholder="bi, nightly" {...props("tags")} />
          {about("tags", "By commas.")}
        </div>
        {wrong && !wrong.field && (
          <p class="wrong" role="alert">
            {wrong.says}
          </p>
        )}
        <p class="quiet">
          All else is said by <code>orion-nb deploy</code>, <code>%orion deploy</code>, Python or REST; it is kept as it is.
        </p>
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            {deployment ? "Change" : "Deploy"}
          </button>
          <button type="button" onClick={onLeave}>
            Cancel
          </button>
        </div>
      </form>
    </section>
  );
}

function saysOf(error: unknown): string {
  return error instanceof SyntaxError ? `No JSON: ${error.message}` : (error as ApiError).message;
}

/** Asked once more: it can't be undone. */
export function RemoveForm({ deployment, onDone, onLeave }: FormProps & { deployment: Deployment }) {
  const sure = useRef<HTMLButtonElement>(null);
  useEffect(() => sure.current?.focus(), []);
  const remove = async () => {
    try {
      await api.remove(deployment.id);
      tell({ text: `${deployment.name} is removed; its runs stay.` });
      onDone(deployment.name);
    } catch (error) {
      tell({ text: (error as ApiError).message, bad: true });
    }
  };
  return (
    <section class="doing" aria-label={`Remove ${deployment.name}`} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
      <h2>Remove {deployment.name}?</h2>
      <p>Its schedules and notifications go with it; its runs stay. This can't be undone.</p>
      <div class="actions">
        <button type="button" class="danger" ref={sure} onClick={() => void remove()}>
          Remove it
        </button>
        <button type="button" onClick={onLeave}>
          Keep it
        </button>
      </div>
    </section>
  );
}
