// Asks the server: every call is same-origin JSON and carries the XSRF token.
import { connection, xsrf } from "./connection";
import type {
  ArtifactPage, Cells, Delivery, Deployment, DeploymentWithSource, DeployOptions, Diff, Entry, FullArtifact, Inspected,
  Limit, LogPage, LogQuery, Notification, OwnOfRun, Page, Preview, ReplayNotebook, Report, Run, RunQuery, Schema, SecretName, Why,
} from "./types";

/** An answer that is an error; `status` 0 means that there was none. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** what was sent that can't be taken */
    readonly field: string | null = null,
  ) {
    super(message);
  }

  /** The authorizer of the server said no: it is not for this user. */
  get isForbidden(): boolean {
    return this.status === 403 && this.message.includes("authorizer");
  }

  /** What a person can do about it. */
  get remedy(): string {
    if (this.status === 0) return "Is the Jupyter server still running? This page tries again by itself.";
    if (this.status === 401) return "Open the dashboard with the address that holds the token, or sign in to Jupyter.";
    if (this.isForbidden) return "You may go on with what you may do; whoever runs this Jupyter server can allow more.";
    if (this.status === 403) return "Reload the page.";
    if (this.status === 404) return "It may have been deleted, or the link is cut off.";
    return "Try again; the server's log says more.";
  }
}

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, signal, redirect: "manual" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await connection.fetch(connection.api + path, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached.");
  }
  if (answer.type === "opaqueredirect") throw new ApiError(401, "You are signed out.");
  const told = await answer.json().catch(() => null);
  if (answer.ok) return told as T;
  // Without cookies there is neither a session nor a token to send back.
  if (answer.status === 403 && !xsrf(document.cookie)) throw new ApiError(401, "You are signed out.");
  throw new ApiError(answer.status, told?.message ?? `The server answered ${answer.status}.`, told?.field);
}

const id = encodeURIComponent;
const PAGE = 50;

/** All that a list has, page by page. */
async function pages<T>(path: string, name: string): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Record<string, unknown> = await call("GET", path + (cursor ? `?cursor=${id(cursor)}` : ""));
    found.push(...(page[name] as T[]));
    cursor = page.cursor as string | null;
  } while (cursor);
  return found;
}

/** The schema with what its properties refer to, such as the members of an enum, in its place. */
export function resolved(schema: Schema): Schema {
  const whole = ({ $ref, ...own }: Schema): Schema => ({
    ...(($ref && schema.$defs?.[$ref.replace("#/$defs/", "")]) || {}),
    ...own,
    ...(own.anyOf && { anyOf: own.anyOf.map(whole) }),
  });
  const told = Object.entries(schema.properties ?? {}).map(([name, each]) => [name, whole(each)] as const);
  return { ...schema, properties: Object.fromEntries(told) };
}

export const api = {
  /** A full page, as long as there are runs: a server that looks for long answers what it has by then. */
  runs: async (query: RunQuery, signal?: AbortSignal) => {
    const { limit = PAGE } = query;
    const page = await call<Page>("POST", "/runs/filter", query, signal);
    while (page.cursor && page.runs.length < limit) {
      const rest = { ...query, limit: limit - page.runs.length, cursor: page.cursor };
      const more = await call<Page>("POST", "/runs/filter", rest, signal);
      page.runs.push(...more.runs);
      page.cursor = more.cursor;
    }
    return page;
  },
  counts: (query: RunQuery, signal?: AbortSignal) =>
    call<{ counts: Record<string, number> }>("POST", "/runs/count-by", query, signal),
  why: (run: string) => call<Why>("GET", `/runs/${id(run)}/why`),
  states: (run: string) => call<{ states: Entry[] }>("GET", `/runs/${id(run)}/states`),
  cancel: (run: string) => call<Report>("POST", `/runs/${id(run)}/cancel`, { by: connection.by }),
  deployments: async () => ({ deployments: await pages<Deployment>("/deployments", "deployments") }),
  deployment: (name: string) => call<DeploymentWithSource>("GET", `/deployments/${id(name)}`),
  diff: (name: string) => call<Diff>("GET", `/deployments/${id(name)}/diff`),
  pause: (name: string, until?: string | number, why?: string) =>
    call<Deployment>("POST", `/deployments/${id(name)}/pause`, { by: connection.by, until: until ?? null, why: why || null }),
  resume: (name: string) => call<Deployment>("POST", `/deployments/${id(name)}/resume`, { by: connection.by }),
  runNow: (name: string, parameters: Record<string, unknown> = {}, own: OwnOfRun = {}) =>
    call<Run>("POST", `/deployments/${id(name)}/runs`, { parameters, ...own }),
  deploy: (told: Record<string, unknown>) => call<DeploymentWithSource>("POST", "/deployments", told),
  change: (name: string, told: Record<string, unknown>) =>
    call<DeploymentWithSource>("PATCH", `/deployments/${id(name)}`, told),
  remove: (name: string) => call<unknown>("DELETE", `/deployments/${id(name)}`),
  preview: (schedules: (string | object)[], zone: string, bounds: Record<string, string> = {}) =>
    call<Preview>("POST", "/schedules/preview", { schedules, timezone: zone || null, ...bounds }),
  inspect: (path: string, anything: boolean) =>
    call<Inspected>("POST", "/notebooks/inspect", { path, allow_untagged: anything }).then((told) => ({ ...told, schema: resolved(told.schema) })),
  rerun: (run: string, own: OwnOfRun = {}) =>
    call<Report>("POST", `/runs/${id(run)}/rerun`, { by: connection.by, ...own }),
  pin: (run: string) => call<unknown>("POST", `/runs/${id(run)}/pin`, {}),
  unpin: (run: string) => call<unknown>("POST", `/runs/${id(run)}/unpin`, {}),
  deleteRun: (run: string) => call<{ errors: string[] }>("DELETE", `/runs/${id(run)}`),
  retryNow: (run: string) =>
    call<{ retried: { id: string; name: string }[] }>("POST", `/runs/${id(run)}/retry`, { by: connection.by }),
  /** null where the run has no cells, or none yet */
  cells: async (run: string) => {
    try {
      return await call<Cells>("GET", `/runs/${id(run)}/cells`);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  },
  /** The lines that match; a server that looks for long has a cursor to look on from, so it is followed. */
  logs: async (query: LogQuery) => {
    const { limit = 100 } = query;
    const page = await call<LogPage>("POST", "/logs/filter", query);
    while (page.cursor !== null && page.lines.length < limit) {
      const on = query.newest ? { before: page.cursor } : { after: page.cursor };
      const more = await call<LogPage>("POST", "/logs/filter", { ...query, ...on, limit: limit - page.lines.length });
      page.lines = query.newest ? [...more.lines, ...page.lines] : [...page.lines, ...more.lines];
      page.cursor = more.cursor;
    }
    return page;
  },
  artifacts: (query: { run?: string; key?: string; limit?: number; cursor?: string }) =>
    call<ArtifactPage>("POST", "/artifacts/filter", query),
  artifact: (artifact: string) => call<FullArtifact>("GET", `/artifacts/${id(artifact)}`),
  deploymentOptions: () => call<DeployOptions>("GET", "/deployment-options"),
  check: (told: Record<string, unknown>) => call<Deployment>("POST", "/deployments/check", told),
  checkChange: (name: string, told: Record<string, unknown>) =>
    call<Deployment>("POST", `/deployments/${id(name)}/check`, told),
  limits: async () => ({ limits: await pages<Limit>("/limits", "limits") }),
  setLimit: (name: string, slots: number) => call<Limit>("PUT", `/limits/${id(name)}`, { slots }),
  removeLimit: (name: string) => call<unknown>("DELETE", `/limits/${id(name)}`),
  notifications: () => call<{ notifications: Notification[] }>("GET", "/notifications"),
  notify: (told: Record<string, unknown>) => call<Notification>("POST", "/notifications", told),
  changeNotification: (name: string, told: Record<string, unknown>) =>
    call<Notification>("PATCH", `/notifications/${id(name)}`, told),
  removeNotification: (name: string) => call<unknown>("DELETE", `/notifications/${id(name)}`),
  testNotification: (name: string) => call<Delivery>("POST", `/notifications/${id(name)}/test`, {}),
  deliveries: (status: string, limit: number) =>
    call<{ deliveries: Delivery[]; cursor: string | null }>("GET", `/deliveries?limit=${limit}${status && `&status=${status}`}`),
  delivery: (delivery: string) => call<Delivery>("GET", `/deliveries/${id(delivery)}`),
  retryDelivery: (delivery: string) => call<Delivery>("POST", `/deliveries/${id(delivery)}/retry`, {}),
  secrets: () => call<{ secrets: SecretName[] }>("GET", "/secrets"),
  setSecret: (name: string, value: string) => call<SecretName>("PUT", `/secrets/${id(name)}`, { value }),
  removeSecret: (name: string) => call<unknown>("DELETE", `/secrets/${id(name)}`),
  /** where an artifact, or all that a run has shown, is downloaded */
  content: (artifact: string) => `${connection.api}/artifacts/${id(artifact)}/content`,
  shown: (run: string) => `${connection.api}/runs/${id(run)}/artifacts.zip`,
  replayNotebook: (run: string) => call<ReplayNotebook>("GET", `/runs/${id(run)}/replay-notebook`),
  notebook: (run: string, ext: "html" | "ipynb") => `${connection.api}/runs/${id(run)}/notebook.${ext}`,
};
