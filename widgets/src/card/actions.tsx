// Buttons that work while the kernel is busy: they ask the Jupyter server, not the kernel.
import { useEffect, useState } from "preact/hooks";
import type { RunStore } from "./store";
import { isTerminal } from "../shared/looks";

/** Where the API is on the server that this page came from; "" where no server says so. */
export function apiOf(page: Document, here: string): string {
  try {
    const told = JSON.parse(page.getElementById("jupyter-config-data")!.textContent!);
    const base = new URL(told.baseUrl.toString(), here);
    return base.origin === new URL(here).origin ? base.pathname.replace(/\/?$/, "/orion/api/v1") : "";
  } catch {
    return "";
  }
}

async function ask(path: string, method = "GET"): Promise<void> {
  const token = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";
  const headers = { "Content-Type": "application/json", "X-XSRFToken": token };
  const body = method === "GET" ? null : '{"by":"notebook"}';
  const answer = await fetch(path, { method, headers, body, redirect: "manual" });
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.message ?? `Error ${answer.status}`);
}

/** What can be done to the run; nothing where no server knows it, and nothing when it has ended. */
export function Actions({ store }: { store: RunStore }) {
  const { id, name, state } = store.run;
  const [path, setPath] = useState<string>();
  const [wrong, setWrong] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const api = apiOf(document, location.href);
    const run = `${api}/runs/${id}`;
    if (!api) setPath("");
    else ask(run).then(() => setPath(run), () => setPath(""));
  }, [id]);
  if (isTerminal(state.type) || path === undefined) return null;
  if (!path) return <small class="orion-hint">Cancel: interrupt the kernel</small>;
  const act = (word: string) => {
    setWrong("");
    setAsked(word);
    ask(`${path}/${word}`, "POST").then(
      () => word === "retry" && setAsked(""),
      (error) => {
        setWrong(error.message);
        setAsked("");
      },
    );
  };
  const button = (word: string, says: string, off: boolean) => (
    <button type="button" aria-label={`${says}: ${name}`} disabled={off || asked === word} onClick={() => act(word)}>
      {says}
    </button>
  );
  const awaits = state.name === "AwaitingRetry" || store.states.some((each, code) => each.name === "AwaitingRetry" && store.counts[code]);
  return (
    <span class="orion-actions" data-lm-suppress-shortcuts="true">
      {wrong && <span role="alert">{wrong}</span>}
      {awaits && button("retry", "Retry now", false)}
      {button("cancel", "Cancel", state.type === "CANCELLING")}
    </span>
  );
}
