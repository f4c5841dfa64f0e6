// Reads what the kernel sends: JSON deltas, binary frames and snapshots.

/** [index, name, type, state name, attempt, started ms, ended ms, message] */
export type Row = [number, string, string, string, number, number | null, number | null, string];

export interface RunInfo {
  id: string;
  short: string;
  name: string;
  state: { type: string; name: string; message?: string | null };
  started: number | null;
  ended: number | null;
  now: number;
}

export interface Delta {
  kind: "delta";
  seq: number;
  run?: RunInfo;
  tasks: Row[];
}

/** The JSON beside a binary frame: the states its codes mean, the tasks it introduces, rows worth words. */
export interface FrameNote {
  kind: "frame";
  seq: number;
  n: number;
  states: [type: string, name: string][];
  new?: [index: number, name: string][];
  rows?: Row[];
  run?: RunInfo;
}

/** The names of tasks, where they travel apart from their states. */
export interface Structure {
  kind: "structure";
  seq: number;
  tasks: [index: number, name: string][];
}

export type Message = Delta | FrameNote | Structure;

export interface Snapshot {
  seq: number;
  run: RunInfo;
  tasks: Row[];
  total: number;
  counts: Record<string, number>;
  states?: [type: string, name: string][];
  /** base64: one code into `states` per index, 255 = not known */
  cells?: string;
}

export interface Frame {
  version: number;
  kind: number;
  flags: number;
  epoch: number;
  seq: number;
  ts: number;
  indices: Uint32Array;
  states: Uint8Array;
}

const HEADER = 28;
export const FRAME_VERSION = 1;

/** The parts of a binary frame (little endian); null when it isn't one we can read. */
export function decodeFrame(view: DataView): Frame | null {
  if (view.byteLength < HEADER || view.getUint8(0) !== FRAME_VERSION) return null;
  const n = view.getUint32(24, true);
  if (view.byteLength < HEADER + 5 * n) return null;
  const indices = new Uint32Array(n);
  for (let i = 0; i < n; i++) indices[i] = view.getUint32(HEADER + 4 * i, true);
  return {
    version: FRAME_VERSION,
    kind: view.getUint8(1),
    flags: view.getUint16(2, true),
    epoch: view.getUint32(4, true),
    seq: Number(view.getBigUint64(8, true)),
    ts: view.getFloat64(16, true),
    indices,
    states: new Uint8Array(view.buffer, view.byteOffset + HEADER + 4 * n, n).slice(),
  };
}

/** The codes of a snapshot's cells. */
export function decodeCells(text: string): Uint8Array {
  const raw = atob(text);
  const cells = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) cells[i] = raw.charCodeAt(i);
  return cells;
}
