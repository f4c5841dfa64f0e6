// Follows the server's events; says whether we are live, and passes events on in small batches.
import { signal } from "@preact/signals";
import { API } from "./api";
import type { LiveEvent } from "./types";

export type Link = "connecting" | "live" | "reconnecting";

export const link = signal<Link>("connecting");
/** now, ms; moves once a second while the page is seen */
export const now = signal(Date.now());

type Listener = (events: LiveEvent[]) => void;
const listeners = new Set<Listener>();
let batch: LiveEvent[] = [];
let timer = 0;
let flushed = -Infinity;
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

function take(message: MessageEvent<string>): void {
  link.value = "live";
  batch.push(JSON.parse(message.data) as LiveEvent);
  // The first after a pause goes on at once, those that follow it together.
  timer ||= window.setTimeout(flush, Math.max(0, flushed + BATCH_MS - performance.now()));
}

const RETRY_MS = [1000, 2000, 5000];

export function follow(tries = 0): void {
  const source = new EventSource(`${API}/events`);
  source.addEventListener("state", take);
  source.onopen = () => {
    const missed = link.value === "reconnecting";
    link.value = "live";
    tries = 0;
    if (missed) flush();
  };
  source.onerror = () => {
    link.value = "reconnecting";
    if (source.readyState !== EventSource.CLOSED) return;
    const wait = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
    setTimeout(() => follow(tries + 1), wait);
  };
}

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  document.addEventListener("visibilitychange", () => (now.value = Date.now()));
}
