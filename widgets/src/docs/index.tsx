// The page that shows the API: every route of the server's own OpenAPI document, searched and tried.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { xsrf } from "../dashboard/connection";
import { type Document, type Route, routesOf, search } from "./document";
import { RouteView } from "./route";
import { Text } from "./text";

const mount = document.getElementById("orion-docs")!;
const api = mount.dataset.api!.replace(/\/$/, "");

function App({ told }: { told: Document }) {
  const [words, setWords] = useState("");
  const [open, setOpen] = useState(decodeURIComponent(location.hash.slice(1)));
  const routes = useMemo(() => routesOf(told), [told]);
  const found = useMemo(() => search(routes, words), [routes, words]);
  useEffect(() => {
    const follow = () => setOpen(decodeURIComponent(location.hash.slice(1)));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => document.getElementById(open)?.scrollIntoView({ block: "start" }), [open]);
  const groups = told.tags.filter((tag) => found.some((route) => route.tags.includes(tag.name)));
  return (
    <>
      <header class="top">
        <a class="brand" href="./" aria-label="Orion, the dashboard">
          Orion
        </a>
        <span class="quiet">REST API {told.info.version}</span>
        <a href={`${api}/openapi.json`}>openapi.json</a>
      </header>
      <div class="page">
        <nav aria-label="Routes">
          <Search words={words} onWords={setWords} count={found.length} />
          {groups.map((tag) => (
            <Group key={tag.name} name={tag.name} routes={found.filter((route) => route.tags.includes(tag.name))} open={open} />
          ))}
        </nav>
        <main id="main">
          <h1>REST API</h1>
          {!words && <Text of={told.info.description} />}
          {found.length === 0 && <p role="status">No route has these words.</p>}
          {groups.map((tag) => (
            <section key={tag.name} aria-labelledby={`group-${tag.name}`}>
              <h2 id={`group-${tag.name}`}>{tag.name}</h2>
              <p class="quiet">{tag.description}</p>
              {found
                .filter((route) => route.tags.includes(tag.name))
                .map((route) => (
                  <RouteView key={route.operationId} route={route} told={told} api={api} isOpen={open === route.operationId} />
                ))}
            </section>
          ))}
        </main>
      </div>
    </>
  );
}

function Search({ words, onWords, count }: { words: string; onWords(words: string): void; count: number }) {
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || (event.target as HTMLElement).closest("input, textarea")) return;
      event.preventDefault();
      document.getElementById("search")?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <div class="search">
      <input
        id="search"
        type="search"
        aria-label="Search the routes"
        placeholder="Search   /"
        value={words}
        onInput={(event) => onWords(event.currentTarget.value)}
      />
      <span class="spoken" role="status">
        {words ? `${count} ${count === 1 ? "route" : "routes"}` : ""}
      </span>
    </div>
  );
}

function Group({ name, routes, open }: { name: string; routes: Route[]; open: string }) {
  return (
    <section>
      <h3>{name}</h3>
      <ul>
        {routes.map((route) => (
          <li key={route.operationId}>
            <a href={`#${route.operationId}`} aria-current={open === route.operationId ? "true" : undefined}>
              <b class={`method ${route.method.toLowerCase()}`}>{route.method}</b>
              <span>{route.path}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A token in the address has done its work once the page is there: it's taken out of sight. */
function hideToken(): void {
  const url = new URL(location.href);
  if (!url.searchParams.has("token")) return;
  url.searchParams.delete("token");
  history.replaceState(null, "", url);
}

async function start(): Promise<void> {
  hideToken();
  try {
    const headers = { "X-XSRFToken": xsrf(document.cookie) };
    const answer = await fetch(`${api}/openapi.json`, { credentials: "same-origin", headers });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    render(<App told={(await answer.json()) as Document} />, mount);
  } catch (error) {
    render(<p class="bad">The API can't be shown: {(error as Error).message}. Reload the page, or sign in again.</p>, mount);
  }
}

void start();
