// What the panel shows: whether we are live, the deployments, and the runs.
import { connection } from "../dashboard/connection";
import { link } from "../dashboard/live";
import { Notes } from "../dashboard/parts";
import { hrefs } from "../dashboard/router";
import { DeploymentList } from "./deployments";
import { server } from "./place";
import { RunList } from "./runs";

interface Props {
  /** opens an address of the dashboard in the main area */
  onOpen(href: string): void;
}

export function Sidebar({ onOpen }: Props) {
  // Links are links, to be opened in a tab of the browser as well; a plain click stays here.
  const open = (event: MouseEvent) => {
    const href = (event.target as HTMLElement).closest("a")?.href;
    if (!href?.startsWith(`${connection.home}#/`)) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onOpen(href);
  };
  return (
    <div class="orion-side" onClick={open}>
      <header>
        <h2>Orion</h2>
        {server.value.state === "ready" && <Link />}
      </header>
      {server.value.state === "ready" ? (
        <>
          <DeploymentList />
          <RunList />
          <Notes />
        </>
      ) : (
        <Absent />
      )}
    </div>
  );
}

const LINKS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting…" };

function Link() {
  return (
    <>
      <span class="link" role="status" data-link={link.value}>
        {LINKS[link.value]}
      </span>
      <a class="all" href={hrefs.runs()}>
        Dashboard
      </a>
    </>
  );
}

/** The server's half is not there: what it takes is said. */
function Absent() {
  const { state, says } = server.value;
  return (
    <div class="absent">
      <p>{state === "missing" ? says : `orion_nb could not start: ${says}`}</p>
      {state === "missing" && (
        <>
          <p>This enables it; then start the server again:</p>
          <pre tabIndex={0}>
            <code>jupyter server extension enable orion_nb_server</code>
          </pre>
        </>
      )}
    </div>
  );
}
