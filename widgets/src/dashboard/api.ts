// Asks the server: every call is same-origin JSON, and what changes something carries the XSRF token.
import type { Deployment, Entry, Page, Report, Run, RunQuery, Why } from "./types";

const mount = typeof document === "undefined" ? null : document.getElementById("orion");
export const API = mount?.dataset.api?.replace(/\/$/, "") ?? "/orion/api/v1";

/** An answer that is an error; `status` 0 means that there was none. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** What a person can do about it. */
  get remedy(): string {
    if (this.status === 0) return "Is the Jupyter server still running? This page tries again by itself.";
    if (this.status === 401) return "Open the dashboard with the address that holds the token, or sign in to Jupyter.";
    if (this.status === 403) return "Reload the page. If it stays, your Jupyter user may not do this.";
    if (this.status === 404) return "It may have been deleted, or the link is cut off.";
    return "Try again; the server's log says more.";
  }
}

export function xsrf(cookies: string): string {
  return /(?:^|;\s*)_xsrf=([^;]*)/.exec(cookies)?.[1] ?? "";
}

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") {
    headers["Content-Type"] = "application/json";
    headers["X-XSRFToken"] = xsrf(document.cookie);
  }
  const init: RequestInit = { method, headers, signal, credentials: "same-origin", redirect: "manual" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(API + path, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached.");
  }
  if (answer.type === "opaqueredirect") throw new ApiError(401, "You are signed out.");
  const told = await answer.json().catch(() => null);
  if (answer.ok) return told as T;
  // Without cookies there is neither a session nor a token to send back.
  if (answer.status === 403 && !xsrf(document.cookie)) throw new ApiError(401, "You are signed out.");
  throw new ApiError(answer.status, told?.message ?? `The server answered ${answer.status}.`);
}

const id = encodeURIComponent;

interface Listed {
  deployments: Deployment[];
  cursor: string | null;
}

export const api = {
  runs: (query: RunQuery, signal?: AbortSignal) => call<Page>("POST", "/runs/filter", query, signal),
  counts: (query: RunQuery, signal?: AbortSignal) =>
    call<{ counts: Record<string, number> }>("POST", "/runs/count-by", query, signal),
  why: (run: string) => call<Why>("GET", `/runs/${id(run)}/why`),
  states: (run: string) => call<{ states: Entry[] }>("GET", `/runs/${id(run)}/states`),
  cancel: (run: string) => call<Report>("POST", `/runs/${id(run)}/cancel`, { by: "dashboard" }),
  deployments: async () => {
    const deployments: Deployment[] = [];
    let cursor: string | null = null;
    do {
      const page: Listed = await call("GET", `/deployments${cursor ? `?cursor=${id(cursor)}` : ""}`);
      deployments.push(...page.deployments);
      cursor = page.cursor;
    } while (cursor);
    return { deployments };
  },
  pause: (name: string, paused: boolean) =>
    call<unknown>("POST", `/deployments/${id(name)}/${paused ? "pause" : "resume"}`, {}),
  runNow: (name: string) => call<Run>("POST", `/deployments/${id(name)}/runs`, {}),
  notebook: (run: string, ext: "html" | "ipynb") => `${API}/runs/${id(run)}/notebook.${ext}`,
};
