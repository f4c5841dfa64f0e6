// Tells of deployed runs that end badly, recover or are late; each once in this browser, and no old ones.
import { api } from "../dashboard/api";
import { deploymentName } from "../dashboard/known";
import { onEvents } from "../dashboard/live";
import { firstLine } from "../dashboard/parts";
import { hrefs } from "../dashboard/router";
import type { LiveEvent, Run } from "../dashboard/types";
import { words } from "../shared/looks";
import type { Kind, Modules, SettingRegistry } from "./host";
import { isFirst } from "./once";

type Wanted = "never" | "failures" | "all";

interface Toast {
  /** what it is about, the same in every tab */
  key: string;
  kind: Kind;
  text: string;
  href: string;
  /** good news that nobody waits for goes by itself */
  passes?: boolean;
}

/** With more at once there is one that counts them. */
const MOST = 3;
const LATE_EVERY_MS = 30_000;
const BAD = new Set(["FAILED", "CRASHED"]);

export function tellOfRuns(
  modules: Modules,
  settings: ReturnType<SettingRegistry["load"]> | undefined,
  open: (href: string) => void,
): void {
  let wanted: Wanted = "failures";
  const read = settings?.then((found) => {
    const look = () => (wanted = found.composite.notifications as Wanted);
    found.changed.connect(look);
    look();
  }, () => undefined); // without settings, as by default
  const show = async (toasts: Toast[]) => {
    const fresh = [];
    for (const toast of toasts) if (await isFirst(toast.key)) fresh.push(toast);
    for (const { text, kind, href, passes } of fresh.length > MOST ? [counted(fresh)] : fresh) {
      const actions = [{ label: "Open", callback: () => open(href) }];
      modules["@jupyterlab/apputils"].Notification.emit(text, kind, { autoClose: passes ? 8000 : false, actions });
    }
  };
  onEvents((events) => {
    const ended = wanted === "never" ? [] : events.filter(({ deployment, run, root }) => deployment && run === root);
    if (ended.length) void toastsOf(ended, wanted).then(show);
  });
  void Promise.resolve(read).then(() => followLate(() => wanted === "all", show));
}

async function toastsOf(events: LiveEvent[], wanted: Wanted): Promise<Toast[]> {
  const toasts: Toast[] = [];
  for (const event of events) {
    const { run, seq, type, state_name: state, deployment } = event;
    const told = { key: `${run}:${seq}`, href: hrefs.run(run) };
    const said = firstLine(event.message);
    if (BAD.has(type)) {
      const text = `${named(event)}: ${words(state).toLowerCase()}${said ? `. ${said}` : ""}`;
      toasts.push({ ...told, kind: "error", text });
    } else if (type === "COMPLETED" && (await hasRecovered(event).catch(() => false))) {
      toasts.push({ ...told, kind: "success", text: `${named(event)} has recovered: it completed.` });
    } else if (type === "COMPLETED" && wanted === "all") {
      toasts.push({ ...told, kind: "success", text: `${named(event)} completed.`, passes: true });
    }
    if (deployment) seen.set(run, type);
  }
  return toasts;
}

const named = ({ deployment, name }: { deployment: string | null; name: string }) => {
  const known = deploymentName(deployment, true);
  return known && known !== deployment ? known : name;
};

/** How the runs ended last that we saw end. */
const seen = new Map<string, string>();
const LOOKED_AT = 20;

/** It had failed itself, or else the run before it that ended; what was cancelled or skipped says nothing. */
async function hasRecovered({ run, deployment, state_name: state }: LiveEvent): Promise<boolean> {
  if (state === "Skipped") return false;
  if (BAD.has(seen.get(run) ?? "")) return true;
  const { states } = await api.states(run);
  const before = states.slice(0, -1).filter(({ type }) => BAD.has(type) || type === "COMPLETED");
  if (before.length) return BAD.has(before.at(-1)!.type);
  const q = `deployment:${deployment} is:finished -state:cancelled,skipped`;
  const { runs } = await api.runs({ q, kind: "flow", top_level: true, limit: LOOKED_AT });
  return BAD.has(runs.find(({ id }) => id < run)?.state.type ?? "");
}

function counted(toasts: Toast[]): Toast {
  const bad = toasts.filter(({ kind }) => kind !== "success").length;
  const text = bad ? `Deployed runs that failed or are late: ${bad}.` : `${toasts.length} deployed runs completed.`;
  const href = bad ? hrefs.runs("is:deployed state:failed,crashed,late") : hrefs.runs("is:deployed");
  return { key: "", kind: bad ? "error" : "success", text, href, passes: !bad };
}

/** No event tells that a run is late: those that are get asked for. Those late at first are old. */
async function followLate(isWanted: () => boolean, show: (toasts: Toast[]) => Promise<void>): Promise<void> {
  let known: Set<string> | null = null;
  const look = async () => {
    if (!isWanted()) {
      known = null;
      return;
    }
    const { runs } = await api.runs({ q: "is:late is:deployed", kind: "flow", top_level: true, limit: 50 });
    const fresh = known ? runs.filter(({ id }) => !known?.has(id)) : [];
    known = new Set(runs.map(({ id }) => id));
    await show(fresh.map(lateToast));
  };
  for (;;) {
    await look().catch(() => undefined);
    await new Promise((done) => setTimeout(done, LATE_EVERY_MS));
  }
}

function lateToast(run: Run): Toast {
  return { key: `${run.id}:late`, kind: "warning", text: `${named(run)} is late: it has not started yet.`, href: hrefs.run(run.id) };
}
