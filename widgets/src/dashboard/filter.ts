// The filter box: its words are read by the server; here they are completed, and states toggled.
import { NAMES, type StateType } from "../shared/looks";

/** What the words of a filter may begin with; the server knows the same, and says so if not. */
export const KEYS = [
  "state:", "is:", "kind:", "flow:", "task:", "name:", "deployment:", "tag:", "mark:", "param:", "key:", "notebook:", "id:",
  "root:", "parent:", "since:", "until:", "created>", "scheduled>", "start>", "end>", "dur>", "attempt>",
];
export const ASPECTS = ["late", "finished", "unfinished", "top", "deployed", "retried", "pinned"];
const STATES = [...Object.keys(NAMES), "Late", ...Object.values(NAMES).flat()];
const VALUES: Record<string, string[]> = {
  "state:": [...new Set(STATES.map((state) => state.toLowerCase()))],
  "is:": ASPECTS,
  "kind:": ["flow", "task"],
  "since:": ["1h", "24h", "7d", "today"],
  "dur>": ["1m", "10m", "1h"],
};

/** The states that a word means: a type, a name, or those that begin with it, types first. */
export function statesCalled(word: string): string[] {
  const wanted = word.toLowerCase();
  const exact = STATES.find((known) => known.toLowerCase() === wanted);
  if (exact) return [exact];
  const types = Object.keys(NAMES).filter((type) => type.toLowerCase().startsWith(wanted));
  return types.length ? types : STATES.filter((known) => known.toLowerCase().startsWith(wanted));
}

/** The words of a filter, as they are typed; blanks between quotes do not part them. */
function wordsOf(text: string): string[] {
  return text.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
}

const asksState = (word: string) => /^state:/i.test(word);

/** The states that runs are asked to be in. */
export function statesIn(text: string): string[] {
  const values = wordsOf(text).filter(asksState).flatMap((word) => word.slice("state:".length).split(","));
  return values.filter(Boolean).flatMap(statesCalled);
}

/** The text without what it asks of states. */
export function stateless(text: string): string {
  return wordsOf(text)
    .filter((word) => !asksState(word))
    .join(" ");
}

/** The text with `state:` set to one type, or without any when it was that type already. */
export function toggleState(text: string, type: StateType | "Late"): string {
  const chosen = statesIn(text);
  const rest = stateless(text);
  const isOn = chosen.length === 1 && chosen[0] === type;
  return isOn ? rest : `state:${type.toLowerCase()} ${rest}`.trim();
}

/** What the text may become, by completing its last word. */
export function completions(text: string): string[] {
  const at = text.lastIndexOf(" ") + 1;
  const sign = text.startsWith("-", at) ? "-" : "";
  const word = text.slice(at + sign.length).toLowerCase();
  if (!word) return [];
  const key = Object.keys(VALUES).find((each) => word.startsWith(each));
  const found = key ? VALUES[key]!.map((value) => key + value) : KEYS;
  return found
    .filter((each) => each.startsWith(word) && each !== word)
    .map((each) => text.slice(0, at) + sign + each);
}
