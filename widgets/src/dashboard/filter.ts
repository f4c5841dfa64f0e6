// The filter box: words and `state:failed name:x deployment:y`, read, matched and written back.
import { NAMES, type StateType } from "../shared/looks";
import type { Run, RunQuery } from "./types";

export interface Filter {
  words: string[];
  /** types and names of states, as the server spells them */
  states: string[];
  name: string;
  deployment: string;
  /** words after `state:` that begin no state's name */
  unknown: string[];
}

const KNOWN = [...Object.keys(NAMES), "Late", ...Object.values(NAMES).flat()];

/** The states that a word means: a type, a name, or the only beginning of some. */
export function statesCalled(word: string): string[] {
  const wanted = word.toLowerCase();
  const exact = KNOWN.find((known) => known.toLowerCase() === wanted);
  if (exact) return [exact];
  const types = Object.keys(NAMES).filter((type) => type.toLowerCase().startsWith(wanted));
  return types.length ? types : KNOWN.filter((known) => known.toLowerCase().startsWith(wanted));
}

/** `key:value`, `key:"two words"` or plain words, in order. */
function tokens(text: string): { key: string; value: string; raw: string }[] {
  return [...text.matchAll(/(?:(\w+):)?(?:"([^"]*)"?|(\S+))/g)].map((match) => ({
    key: (match[1] ?? "").toLowerCase(),
    value: match[2] ?? match[3] ?? "",
    raw: match[0],
  }));
}

export function parseFilter(text: string): Filter {
  const filter: Filter = { words: [], states: [], name: "", deployment: "", unknown: [] };
  for (const { key, value, raw } of tokens(text)) {
    if (key === "state") addState(filter, value);
    else if (key === "name" || key === "flow") filter.name = value;
    else if (key === "deployment") filter.deployment = value;
    else if (!/^(state|name|flow|deployment):$/i.test(raw)) filter.words.push(key ? raw : value);
  }
  return filter;
}

function addState(filter: Filter, value: string): void {
  for (const word of value.split(",").filter(Boolean)) {
    const found = statesCalled(word);
    if (found.length) filter.states.push(...found);
    else filter.unknown.push(word);
  }
}

const has = (text: string | null, part: string) => (text ?? "").toLowerCase().includes(part.toLowerCase());

/** True when a run passes; `late` and `deployment` are what the run alone doesn't say. */
export function matches(run: Run, filter: Filter, late: boolean, deployment: string): boolean {
  if (filter.unknown.length) return false;
  const called = [run.state.type, run.state.name, late ? "Late" : ""];
  if (filter.states.length && !filter.states.some((state) => called.includes(state))) return false;
  if (filter.name && !has(run.name, filter.name)) return false;
  if (filter.deployment && !has(deployment, filter.deployment)) return false;
  return filter.words.every(
    (word) => has(run.name, word) || has(run.run_name, word) || run.id.endsWith(word.toLowerCase()),
  );
}

/** What of the filter the server can be asked; the rest is for `matches`. */
export function queryOf(filter: Filter, deployments: { id: string; name: string }[]): RunQuery {
  const query: RunQuery = {};
  const texts = [...filter.words, filter.name].sort((a, b) => b.length - a.length);
  if (texts[0]) query.text = texts[0];
  if (filter.states.length) query.states = [...new Set(filter.states)];
  const named = deployments.filter((one) => has(one.name, filter.deployment));
  const exact = named.find((one) => one.name === filter.deployment) ?? (named.length === 1 ? named[0] : undefined);
  if (filter.deployment && exact) query.deployment = exact.id;
  return query;
}

/** The text with `state:` set to one type, or without any when it was that type already. */
export function toggleState(text: string, type: StateType | "Late"): string {
  const chosen = parseFilter(text).states;
  const rest = tokens(text).filter(({ key, raw }) => key !== "state" && raw.toLowerCase() !== "state:");
  const words = rest.map(({ raw }) => raw);
  const isOn = chosen.length === 1 && chosen[0] === type;
  return (isOn ? words : [`state:${type.toLowerCase()}`, ...words]).join(" ");
}
