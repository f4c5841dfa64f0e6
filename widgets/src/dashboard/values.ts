// What is said of a deployment as the texts of a form, and back, as the server describes each option.
import type { Deployment, DeployOption } from "./types";

export type Texts = Record<string, string>;

/** A text that can't be read; `field` is the one it stands in. */
export class Unreadable extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

/** A duration as it is typed: "90s", "10m", "2h". */
export function spelled(seconds: number): string {
  if (seconds && seconds % 3600 === 0) return `${seconds / 3600}h`;
  if (seconds && seconds % 60 === 0) return `${seconds / 60}m`;
  return `${seconds}s`;
}

/** What stands in the field of an option; "" for what holds when nothing is said. */
export function written(option: DeployOption, value: unknown): string {
  if (value === null || value === undefined || value === false) return "";
  if (`${value}${option.takes === "duration" ? "s" : ""}` === option.default) return "";
  const pairs = () => Object.entries(value as object);
  switch (option.takes) {
    case "list":
      return (value as string[]).join(", ");
    case "pairs":
      return writtenPairs(value as object);
    case "limits":
      return pairs().map(([name, of]) => (of === null ? name : `${name}=${of}`)).join(", ");
    case "duration":
      return typeof value === "number" ? spelled(value) : String(value);
    default:
      return String(value);
  }
}

/** The value that a text stands for; null for what holds when nothing is said. */
export function read(option: DeployOption, text: string): unknown {
  const told = text.trim();
  if (!told) return null;
  switch (option.takes) {
    case "flag":
      return told === "true";
    case "list":
      return parts(told, ",");
    case "pairs":
      return pairsOf(option.field, text);
    case "limits":
      return Object.fromEntries(parts(told, ",").map((word) => readLimit(option, word)));
    case "whole":
    case "number":
      return Number.isFinite(Number(told)) ? Number(told) : told;
    default:
      return told;
  }
}

const parts = (text: string, by: string) => text.split(by).map((each) => each.trim()).filter(Boolean);

/** Pairs as they are typed, one a line. */
export function writtenPairs(value: object): string {
  return Object.entries(value).map(([name, of]) => `${name}=${of}`).join("\n");
}

/** The pairs that a text stands for, NAME=VALUE one a line; throws Unreadable. */
export function pairsOf(field: string, text: string): Record<string, string> {
  return Object.fromEntries(parts(text, "\n").map((pair) => readPair(field, pair)));
}

function readPair(field: string, pair: string): [string, string] {
  const at = pair.indexOf("=");
  if (at < 1) throw new Unreadable(field, `"${pair}" is not NAME=VALUE.`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function readLimit({ field }: DeployOption, word: string): [string, number | null] {
  const [, name = "", slots] = /^(.*?)(?:=(\d+))?$/.exec(word) ?? [];
  if (!name || name.includes("=")) throw new Unreadable(field, `"${word}" is not NAME or NAME=N.`);
  return [name, slots === undefined ? null : Number(slots)];
}

/** An instant as the clocks of a zone show it, as a field for date and time has it. */
export function wallTime(iso: string, zone: string): string {
  const two = "2-digit" as const;
  const told = { timeZone: zone, year: "numeric" as const, month: two, day: two, hour: two, minute: two, second: two, hourCycle: "h23" as const };
  const parts = new Intl.DateTimeFormat("en", told).formatToParts(new Date(iso));
  const [year, month, day, hour, minute, second] = ["year", "month", "day", "hour", "minute", "second"].map(
    (name) => parts.find(({ type }) => type === name)!.value,
  );
  return `${year}-${month}-${day}T${hour}:${minute}${second === "00" ? "" : `:${second}`}`;
}

/** The options that a form has a field for, one for each field of a deployment. */
export function fieldsOf(options: DeployOption[]): DeployOption[] {
  const byField = new Map<string, DeployOption>();
  for (const option of options) if (!byField.has(option.field)) byField.set(option.field, option);
  for (const special of ["schedules", "parameters"]) byField.delete(special);
  return [...byField.values()];
}

const WORDS: Record<string, string> = { sla: "SLA", env: "Environment", cwd: "Folder", concurrency: "Limits" };

/** What a field is called on the screen. */
export function called(field: string): string {
  const [first = "", ...rest] = field.split("_");
  return [WORDS[first] ?? first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(" ");
}

/** What is seen of a deployment in two states of it, field by field, where they differ. */
export function differences(before: Deployment, after: Deployment): [field: string, was: unknown, is: unknown][] {
  const fields = Object.keys(after).filter((field) => !BESIDES.has(field));
  const differ = fields.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
  return differ.map((field) => [field, before[field], after[field]]);
}

/** what changes by itself, or is told in another way */
const BESIDES = new Set([
  "id", "next_times", "local_times", "timezone", "next_due", "last_runs", "source", "updated", "created", "revision", "problem", "schedules", "pause",
]);
