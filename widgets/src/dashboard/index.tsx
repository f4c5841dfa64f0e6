// The dashboard: the frame around the pages, and the wiring at start.
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ArtifactsPage } from "./artifacts";
import { connect, connection } from "./connection";
import { DeploymentPage } from "./deployment";
import { DeploymentsPage } from "./deployments";
import { keepDeployments } from "./known";
import { LimitsPage } from "./limits";
import { follow, link, startClock, way } from "./live";
import { LogsPage } from "./logs";
import { NotificationsPage } from "./notifications";
import { Notes, Stars } from "./parts";
import { focusHeading, type Place, place, startRouter } from "./router";
import { Lost, RunPage } from "./run";
import { RunsPage } from "./runs";
import { SecretsPage } from "./secrets";
import { followTheme, lab } from "./theme";

const TITLES: Record<Place["page"], string> = {
  runs: "Runs",
  run: "Run",
  deployments: "Deployments",
  deployment: "Deployment",
  logs: "Logs",
  artifacts: "Artifacts",
  limits: "Limits",
  notifications: "Notifications",
  secrets: "Secrets",
  lost: "Not found",
};
/** The pages that the head leads to, and the pages below them. */
const NAV: [Place["page"], string, Place["page"][]][] = [
  ["runs", "#/", ["run"]],
  ["deployments", "#/deployments", ["deployment"]],
  ["logs", "#/logs", []],
  ["artifacts", "#/artifacts", []],
  ["limits", "#/limits", []],
  ["notifications", "#/notifications", []],
  ["secrets", "#/secrets", []],
];

function App() {
  const { page, id } = place.value;
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${page === "deployment" ? id : TITLES[page]} · Orion`;
    scrollTo(0, 0);
    focusHeading();
  }, [page, id]);
  return (
    <>
      <header class="top">
        <a class="skip" href="#main" onClick={(event) => skip(event, main.current)}>
          Skip to the content
        </a>
        <a class="brand" href="#/" aria-label="Orion, all runs">
          <Stars />
          Orion
        </a>
        <nav aria-label="Pages">
          {NAV.map(([each, href, below]) => (
            <a key={each} href={href} aria-current={page === each || below.includes(page) ? "page" : undefined}>
              {TITLES[each]}
            </a>
          ))}
          <a href="docs">API</a>
        </nav>
        <Link />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {page === "runs" && <RunsPage />}
        {page === "run" && <RunPage key={id} id={id} />}
        {page === "deployments" && <DeploymentsPage />}
        {page === "deployment" && <DeploymentPage key={id} name={id} />}
        {page === "logs" && <LogsPage />}
        {page === "artifacts" && <ArtifactsPage />}
        {page === "limits" && <LimitsPage />}
        {page === "notifications" && <NotificationsPage />}
        {page === "secrets" && <SecretsPage />}
        {page === "lost" && <Lost />}
      </main>
      <Notes />
    </>
  );
}

function skip(event: Event, main: HTMLElement | null): void {
  event.preventDefault();
  main?.focus();
}

const LINKS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting…" };

const WAYS = {
  socket: "The server tells of changes as they happen.",
  stream: "The server tells of changes as they happen.",
  poll: "Something between here and the server holds streams back: it is asked for changes instead.",
};

/** Whether what is shown is fresh. */
function Link() {
  return (
    <span class="link" role="status" data-link={link.value} title={link.value === "live" ? WAYS[way.value] : undefined}>
      {LINKS[link.value]}
    </span>
  );
}

/** A browser opens six connections to a server and no more: the tabs of a JupyterLab take sockets. */
function takeSocket(): void {
  const live = new URL(`${connection.api}/live`, location.href);
  live.protocol = live.protocol.replace("http", "ws");
  connect({ socket: live.href });
}

/** A token in the address has done its work once the page is there: it's taken out of sight. */
function hideToken(): void {
  const url = new URL(location.href);
  if (!url.searchParams.has("token")) return;
  url.searchParams.delete("token");
  history.replaceState(null, "", url);
}

const mount = document.getElementById("orion");
if (mount) {
  hideToken();
  followTheme();
  if (lab) {
    document.documentElement.dataset.lab = "";
    takeSocket();
  }
  startRouter();
  startClock();
  follow();
  keepDeployments();
  render(<App />, mount);
}
