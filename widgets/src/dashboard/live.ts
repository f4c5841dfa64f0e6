// Follows the server's events; says whether we are live, and passes events on in small batches.
import { signal } from "@preact/signals";
import { connection } from "./connection";
import { openSocket } from "./socket";
import type { LiveEvent } from "./types";

export type Link = "connecting" | "live" | "reconnecting";

export const link = signal<Link>("connecting");
/** how events come: pushed, or asked for again and again where something holds them back */
export const way = signal<"socket" | "stream" | "poll">("stream");
/** now, ms; moves once a second while the page is seen */
export const now = signal(Date.now());

type Listener = (events: LiveEvent[]) => void;
const listeners = new Set<Listener>();
let batch: LiveEvent[] = [];
let timer = 0;
let flushed = -Infinity;
/** the number of the last event that the server told of */
let last: number | null = null;
const BATCH_MS = 100;

/** Calls `listener` with events, at most ten times a second; with none after a reconnection. */
export function onEvents(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function flush(): void {
  timer = 0;
  flushed = performance.now();
  const events = batch;
  batch = [];
  for (const listener of listeners) listener(events);
}

function take(event: LiveEvent): void {
  last = event.n;
  batch.push(event);
  // The first after a pause goes on at once, those that follow it together.
  timer ||= window.setTimeout(flush, Math.max(0, flushed + BATCH_MS - performance.now()));
}

/** The server was heard: what may have been missed meanwhile is looked for. */
function heard(how: "socket" | "stream" | "poll"): void {
  const missed = link.value === "reconnecting" || (how === "poll" && link.value !== "live");
  link.value = "live";
  way.value = how;
  if (missed) flush();
}

const RETRY_MS = [1000, 2000, 5000];
/** so long a stream may take to say hello; what holds it back longer holds it back for ever */
const HELLO_MS = 5000;
/** a stream that breaks so often before it says hello again is given up */
const BREAKS = 3;
const POLL_S = 25;
/** how long to poll before a stream is tried again */
const POLLING_MS = 60_000;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** What is asked for, and from where on. */
function asked(more: Record<string, string>): string {
  const only = Object.entries(connection.only).map(([name, value]) => [name, String(value)]);
  const place = last === null ? {} : { after: String(last) };
  return String(new URLSearchParams({ ...Object.fromEntries(only), ...place, ...more }));
}

/** Follows the events: through a socket if there is one, else as a stream; else it asks for them. */
export function follow(tries = 0): void {
  if (connection.socket) followSocket(tries);
  else followStream(tries);
}

/** a socket came through to this page at least once */
let sockets = false;

function followSocket(tries: number): void {
  const come = (events: LiveEvent[], n: number) => {
    tries = 0;
    sockets = true;
    heard("socket");
    events.forEach(take);
    last = n;
  };
  openSocket(last, come, () => {
    if (link.value === "live") link.value = "reconnecting";
    if (sockets) setTimeout(() => follow(tries + 1), RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!);
    else followStream(tries); // something between here and the server may let no sockets through
  });
}

function followStream(tries: number): void {
  const source = new EventSource(`${connection.api}/events?${asked(connection.pass())}`);
  let breaks = 0;
  let deaf = 0;
  let greeted = false;
  const giveUp = () => {
    clearTimeout(deaf);
    source.close();
    void poll(tries);
  };
  const wait = () => {
    clearTimeout(deaf);
    deaf = window.setTimeout(giveUp, HELLO_MS);
  };
  source.addEventListener("hello", (message: MessageEvent<string>) => {
    clearTimeout(deaf);
    last ??= (JSON.parse(message.data) as { last: number }).last;
    breaks = tries = 0;
    greeted = true;
    heard("stream");
  });
  source.addEventListener("state", (message: MessageEvent<string>) => take(JSON.parse(message.data) as LiveEvent));
  source.onerror = () => {
    if (link.value === "live") link.value = "reconnecting";
    breaks += 1;
    if (!greeted || source.readyState === EventSource.CLOSED || breaks >= BREAKS) giveUp();
    else wait();
  };
  wait();
}

/** Asks for events, each question waiting for its answer; after a while a stream is tried again. */
async function poll(tries: number): Promise<void> {
  const until = Date.now() + POLLING_MS;
  let patience = 0; // the first answer comes at once: it says that we are live
  while (Date.now() < until) {
    try {
      await ask(patience);
      tries = 0;
      patience = POLL_S;
    } catch {
      link.value = "reconnecting";
      await sleep(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!);
      return follow(tries + 1);
    }
  }
  follow();
}

async function ask(patience: number): Promise<void> {
  const answer = await connection.fetch(`${connection.api}/events?${asked({ wait: String(patience) })}`, {
    redirect: "error",
    signal: AbortSignal.timeout((patience + 15) * 1000),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  const told = (await answer.json()) as { events: LiveEvent[]; last: number };
  heard("poll");
  told.events.forEach(take);
  last = told.last;
}

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  document.addEventListener("visibilitychange", () => (now.value = Date.now()));
}
