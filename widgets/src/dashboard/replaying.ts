// A notebook that takes a failed run up: made once, beside its code, by the rules of Jupyter's own contents.
import { api, ApiError } from "./api";
import { connection } from "./connection";

/** The address at which the notebook is open in JupyterLab; it is made if it is not there yet. */
export async function replayNotebook(run: string): Promise<string> {
  const told = await api.replayNotebook(run);
  if (told.path === null) {
    const here = `orion-nb replay ${told.replays.slice(-8)} --lab`;
    throw new ApiError(404, `The code is in ${told.folder}, which this server does not show; open it with: ${here}`);
  }
  const base = connection.api.replace(/\/orion\/api\/v1$/, "");
  const place = told.path.split("/").map(encodeURIComponent).join("/");
  const file = `${base}/api/contents/${place}`;
  const there = await ask("GET", `${file}?content=0`);
  if (there.status === 404) await ask("PUT", file, { type: "notebook", format: "json", content: told.notebook });
  return `${base}/lab/tree/${place}`;
}

/** One request to Jupyter's contents; that there is no such file is an answer. */
async function ask(method: string, url: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method, headers: { Accept: "application/json", "Content-Type": "application/json" } };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await connection.fetch(url, init);
  } catch {
    throw new ApiError(0, "The server can't be reached.");
  }
  if (answer.ok || (answer.status === 404 && method === "GET")) return answer;
  const why: { message?: string } | null = await answer.json().catch(() => null);
  throw new ApiError(answer.status, `The notebook can't be made: ${why?.message ?? answer.status}`);
}
