// The states by type and name, and how each is drawn: glyph, word and colour, never colour alone.

export type StateType =
  | "SCHEDULED"
  | "PENDING"
  | "RUNNING"
  | "PAUSED"
  | "CANCELLING"
  | "COMPLETED"
  | "FAILED"
  | "CRASHED"
  | "CANCELLED";

export interface Look {
  glyph: string;
  light: string;
  dark: string;
}

export type Looks = Record<string, Look>;

// A test holds these two tables equal to NAMES and LOOKS of orion_nb/schemas/states.py.
export const NAMES: Record<StateType, readonly string[]> = {
  SCHEDULED: ["Scheduled", "AwaitingRetry", "AwaitingSlot"],
  PENDING: ["Pending", "Submitting", "NotReady"],
  RUNNING: ["Running", "Retrying", "Rerunning"],
  PAUSED: ["Paused"],
  CANCELLING: ["Cancelling"],
  COMPLETED: ["Completed", "Cached", "Skipped"],
  FAILED: ["Failed", "TimedOut", "UpstreamFailed"],
  CRASHED: ["Crashed", "Lost"],
  CANCELLED: ["Cancelled"],
};

export const LOOKS: Looks = {
  SCHEDULED: { glyph: "◷", light: "#be8d0e", dark: "#e7ab29" },
  Late: { glyph: "◷!", light: "#be8d0e", dark: "#e7ab29" },
  AwaitingRetry: { glyph: "↻", light: "#be8d0e", dark: "#e7ab29" },
  PENDING: { glyph: "○", light: "#16161e", dark: "#bec0cf" },
  RUNNING: { glyph: "◐", light: "#0021a4", dark: "#165ecd" },
  PAUSED: { glyph: "❚❚", light: "#a94ef6", dark: "#c588f7" },
  CANCELLING: { glyph: "⊘", light: "#939393", dark: "#656366" },
  CANCELLED: { glyph: "⊘", light: "#939393", dark: "#656366" },
  COMPLETED: { glyph: "✔", light: "#0e6968", dark: "#08a97e" },
  Cached: { glyph: "◆", light: "#0e6968", dark: "#08a97e" },
  FAILED: { glyph: "✖", light: "#bb2722", dark: "#c80e08" },
  CRASHED: { glyph: "⚡", light: "#490f01", dark: "#fde7ce" },
};

const UNKNOWN: Look = { glyph: "?", light: "#5b6270", dark: "#a3a8b4" };
const TERMINAL = new Set(["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]);

/** The look of a state, by its name or else its type. */
export function lookOf(type: string, name: string, looks: Looks = LOOKS): Look {
  return looks[name] ?? looks[type] ?? UNKNOWN;
}

export function isTerminal(type: string): boolean {
  return TERMINAL.has(type);
}

/** `AwaitingRetry` as people read it: "Awaiting retry". */
export function words(name: string): string {
  const spaced = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
