// Keeps what a page shows fresh: loads it, loads it again when told, never twice at a time.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";
import { onEvents } from "./live";
import type { LiveEvent } from "./types";

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  reload(): void;
  /** changes what is shown without asking the server */
  patch(change: (data: T) => T): void;
}

const SETTLE_MS = 120;
const APART_MS = 250;
const REST = 5;
const AGAIN_MS = 3000;
const TYPING_MS = 90;

/** Calls `load` soon after each `trigger`, none overlapping; the longer a load took, the longer it rests. */
export class Refresher {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private busy = false;
  /** the wait asked for while busy, ms */
  private wanted: number | undefined;
  private next = -Infinity;

  constructor(private load: () => Promise<unknown>) {}

  trigger(wait = SETTLE_MS): void {
    if (this.busy) {
      this.wanted = Math.min(wait, this.wanted ?? wait);
      return;
    }
    if (this.timer !== undefined) return;
    const due = Math.max(wait, this.next - performance.now());
    this.timer = setTimeout(() => void this.run(), due);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.load = async () => undefined;
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    this.busy = true;
    const began = performance.now();
    await this.load();
    const ended = performance.now();
    this.busy = false;
    this.next = ended + Math.max(APART_MS, REST * (ended - began));
    if (this.wanted !== undefined) this.trigger(this.wanted);
    this.wanted = undefined;
  }
}

/** What `load` answers, loaded anew whenever `key` changes or an event concerns it. */
export function useQuery<T>(
  key: string,
  load: () => Promise<T>,
  concerns: (event: LiveEvent) => boolean = () => true,
  seen?: (data: T, events: LiveEvent[]) => T,
): Loaded<T> {
  const [held, hold] = useState<{ key: string; data?: T; error?: ApiError }>({ key });
  const latest = useRef({ key, load, concerns, seen });
  latest.current = { key, load, concerns, seen };
  const refresher = useRef<Refresher>(null);
  const read = async (wanted: string) => {
    try {
      const data = await latest.current.load();
      if (latest.current.key === wanted) hold({ key: wanted, data });
    } catch (error) {
      if (latest.current.key !== wanted || !(error instanceof ApiError)) return;
      hold((before) => ({ ...before, key: wanted, error }));
      if (error.status === 0 || error.status >= 500) refresher.current?.trigger(AGAIN_MS);
    }
  };
  useEffect(() => {
    const mine = new Refresher(() => read(latest.current.key));
    refresher.current = mine;
    // What is on screen stays while a person types; the server is asked when they pause.
    if (held.data) mine.trigger(TYPING_MS);
    else void read(key);
    const stop = onEvents((events) => {
      const { seen: see, concerns: about } = latest.current;
      const mattering = events.filter(about);
      if (events.length && !mattering.length) return;
      if (see) hold((before) => (before.data ? { ...before, data: see(before.data, mattering) } : before));
      mine.trigger();
    });
    return () => {
      stop();
      mine.stop();
    };
  }, [key]);
  const current = held.key === key;
  return {
    data: held.data,
    error: current ? held.error : undefined,
    reload: () => refresher.current?.trigger(0),
    patch: (change) => hold((before) => (before.data ? { ...before, data: change(before.data) } : before)),
  };
}
