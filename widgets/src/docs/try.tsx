// A form that sends the request to this server, as whoever is signed in, and shows what came back.
import { useState } from "preact/hooks";
import { xsrf } from "../dashboard/connection";
import { bodyOf, kind, type Route, target } from "./document";

const PATIENCE_MS = 15_000;
const LONGEST = 20_000;

interface TryProps {
  route: Route;
  api: string;
  values: Record<string, string>;
  onValues(values: Record<string, string>): void;
  body: string;
  onBody(body: string): void;
}

interface Came {
  status: string;
  ok: boolean;
  took: number;
  text: string;
}

export function Try({ route, api, values, onValues, body, onBody }: TryProps) {
  const [came, setCame] = useState<Came | "asked" | undefined>(undefined);
  const inputs = (route.parameters ?? []).filter((each) => each.in !== "header");
  const missing = inputs.filter((each) => each.required && !values[each.name]);
  const send = async (event: Event) => {
    event.preventDefault();
    setCame("asked");
    setCame(await ask(route, api + target(route, values), body));
  };
  return (
    <form onSubmit={send}>
      <h4>Try it</h4>
      {inputs.map((each) => (
        <label key={each.name}>
          <span>
            {each.name} {each.required && <small>required</small>}
          </span>
          <input
            type="text"
            spellcheck={false}
            placeholder={kind(each.schema)}
            required={each.required}
            value={values[each.name] ?? ""}
            onInput={(event) => onValues({ ...values, [each.name]: event.currentTarget.value })}
          />
        </label>
      ))}
      {bodyOf(route) && (
        <label>
          <span>body</span>
          <textarea
            spellcheck={false}
            rows={Math.min(14, body.split("\n").length + 1)}
            value={body}
            onInput={(event) => onBody(event.currentTarget.value)}
          />
        </label>
      )}
      <button type="submit" disabled={came === "asked" || missing.length > 0}>
        Send {route.method}
      </button>
      {route["x-jupyter-action"] !== "read" && <small class="quiet"> It is done on this server, at once.</small>}
      <div role="status">{came === "asked" ? <p>Asking…</p> : came && <Shown came={came} />}</div>
    </form>
  );
}

function Shown({ came }: { came: Came }) {
  return (
    <>
      <p class={came.ok ? "good" : "bad"}>
        <b>{came.status}</b> <span class="quiet">after {Math.round(came.took)} ms</span>
      </p>
      <pre tabIndex={0}>
        <code>{came.text}</code>
      </pre>
    </>
  );
}

async function ask(route: Route, url: string, body: string): Promise<Came> {
  const headers: Record<string, string> = { "X-XSRFToken": xsrf(document.cookie) };
  if (body) headers["Content-Type"] = "application/json";
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const began = performance.now();
  try {
    const init = { method: route.method, headers, signal, credentials: "same-origin" as const };
    const answer = await fetch(url, body ? { ...init, body } : init);
    const text = pretty(await answer.text());
    const status = `${answer.status} ${answer.statusText}`;
    return { status, ok: answer.ok, took: performance.now() - began, text };
  } catch (error) {
    return { status: "No answer", ok: false, took: performance.now() - began, text: (error as Error).message };
  }
}

function pretty(text: string): string {
  let told = text;
  try {
    told = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // not JSON: as it came
  }
  return told.length > LONGEST ? `${told.slice(0, LONGEST)}\n… (${told.length - LONGEST} characters more)` : told;
}
