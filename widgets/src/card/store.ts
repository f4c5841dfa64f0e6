// What the card knows of its run: one byte of state per task, and words for those that have some.
import { decodeCells, decodeFrame } from "./frames";
import type { Message, Row, RunInfo, Snapshot } from "./frames";

export interface StateKey {
  type: string;
  name: string;
}

const UNSEEN = 255;

/** Rows are absolute, so applying one twice or late does no harm; only a missing one needs a resync. */
export class RunStore {
  run: RunInfo;
  /** when `run` arrived, by the browser's clock, ms */
  heard: number;
  seq = 0;
  size = 0;
  stale = false;
  readonly states: StateKey[] = [];
  readonly counts: number[] = [];
  readonly rows = new Map<number, Row>();
  readonly names: string[] = [];
  /** indices whose state changed since `takeDirty` was last called */
  private dirty = new Set<number>();
  private codes = new Uint8Array(64).fill(UNSEEN);

  constructor(run: RunInfo, heard: number) {
    this.run = run;
    this.heard = heard;
  }

  codeAt(index: number): number {
    return this.codes[index] ?? UNSEEN;
  }

  stateAt(index: number): StateKey | undefined {
    return this.states[this.codeAt(index)];
  }

  nameAt(index: number): string {
    return this.names[index] ?? `task ${index}`;
  }

  takeDirty(): Set<number> {
    const taken = this.dirty;
    this.dirty = new Set();
    return taken;
  }

  /** How many tasks are in a state of one of the types. */
  count(...types: string[]): number {
    let sum = 0;
    this.states.forEach((state, code) => {
      if (types.includes(state.type)) sum += this.counts[code] ?? 0;
    });
    return sum;
  }

  /** Takes a message in; false when something before it is missing. */
  apply(message: Message, buffers: DataView[], now: number): boolean {
    const inOrder = message.seq === this.seq || message.seq === this.seq + 1;
    let known = true;
    if (message.kind === "structure") this.name(message.tasks);
    else if (message.kind === "delta") message.tasks.forEach((row) => this.put(row));
    else if (message.kind === "frame") {
      this.name(message.new ?? []);
      known = this.frame(message.states, buffers[0]);
      message.rows?.forEach((row) => this.put(row));
    }
    if ("run" in message && message.run) this.hear(message.run, now);
    this.seq = Math.max(this.seq, message.seq);
    if (!inOrder || !known) this.stale = true;
    return !this.stale;
  }

  /** Takes over a snapshot, unless what is known is newer. */
  load(snapshot: Snapshot, now: number): void {
    if (snapshot.seq < this.seq) return;
    if (snapshot.cells && snapshot.states) {
      const translate = snapshot.states.map(([type, name]) => this.intern(type, name));
      decodeCells(snapshot.cells).forEach((code, index) => {
        if (code !== UNSEEN) this.set(index, translate[code] ?? UNSEEN);
      });
    }
    snapshot.tasks.forEach((row) => this.put(row));
    this.hear(snapshot.run, now);
    this.seq = snapshot.seq;
    this.stale = false;
  }

  private hear(run: RunInfo, now: number): void {
    this.run = run;
    this.heard = now;
  }

  private name(tasks: [number, string][]): void {
    for (const [index, name] of tasks) {
      this.names[index] = name;
      this.size = Math.max(this.size, index + 1);
    }
  }

  private put(row: Row): void {
    const [index, name, type, state] = row;
    this.names[index] = name;
    this.rows.set(index, row);
    this.set(index, this.intern(type, state));
  }

  private frame(states: [string, string][], buffer: DataView | undefined): boolean {
    const frame = buffer && decodeFrame(buffer);
    if (!frame) return false;
    const translate = states.map(([type, name]) => this.intern(type, name));
    let known = true;
    frame.indices.forEach((index, i) => {
      known &&= this.names[index] !== undefined;
      this.set(index, translate[frame.states[i] ?? UNSEEN] ?? UNSEEN);
      this.amend(index);
    });
    return known;
  }

  /** Keeps a row's words in step with a state that came without any. */
  private amend(index: number): void {
    const row = this.rows.get(index);
    const state = this.stateAt(index);
    if (row && state && row[3] !== state.name) {
      this.rows.set(index, [index, row[1], state.type, state.name, row[4], row[5], null, ""]);
    }
  }

  private intern(type: string, name: string): number {
    const at = this.states.findIndex((state) => state.name === name && state.type === type);
    if (at >= 0) return at;
    this.counts.push(0);
    return this.states.push({ type, name }) - 1;
  }

  private set(index: number, code: number): void {
    this.reserve(index);
    const before = this.codes[index] ?? UNSEEN;
    if (before === code) return;
    if (before !== UNSEEN) this.counts[before]! -= 1;
    if (code !== UNSEEN) this.counts[code]! += 1;
    this.codes[index] = code;
    this.dirty.add(index);
  }

  private reserve(index: number): void {
    this.size = Math.max(this.size, index + 1);
    if (index < this.codes.length) return;
    const grown = new Uint8Array(Math.max(index + 1, this.codes.length * 2)).fill(UNSEEN);
    grown.set(this.codes);
    this.codes = grown;
  }
}

/** "12 of 40 done, 2 failed": what a screen reader is told. */
export function summary(store: RunStore): string {
  const done = store.count("COMPLETED", "FAILED", "CRASHED", "CANCELLED");
  const failed = store.count("FAILED", "CRASHED");
  const parts = [`${done.toLocaleString("en")} of ${store.size.toLocaleString("en")} done`];
  if (failed) parts.push(`${failed.toLocaleString("en")} failed`);
  return parts.join(", ");
}
