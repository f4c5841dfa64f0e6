// What is deployed is given parameters: in fields made of its schema once its file is known, or as JSON.
import { useEffect, useState } from "preact/hooks";
import { api } from "./api";
import { TextField } from "./fields";
import { Field, plain, problem, textOf, valueOf } from "./form";
import type { Inspected, Schema } from "./types";

const TYPING_MS = 400;

interface Props {
  /** notebook.ipynb or file.py:flow, as far as it is typed */
  path: string;
  /** a notebook without a cell of parameters takes any */
  anything: boolean;
  /** a JSON object, or nothing */
  text: string;
  /** what the server refused, and of which parameter; "" of all together */
  wrong: { name: string; says: string } | undefined;
  onText(text: string): void;
}

export function parametersOf(text: string): Record<string, unknown> {
  const told: unknown = text.trim() ? JSON.parse(text) : {};
  if (typeof told !== "object" || told === null || Array.isArray(told)) throw new SyntaxError("no object");
  return told as Record<string, unknown>;
}

/** What the file at a path takes; null as long as nothing can be read there. */
function useInspected(path: string, anything: boolean): Inspected | null {
  const [inspected, setInspected] = useState<Inspected | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const set = (found: Inspected | null) => isCurrent && setInspected(found);
    const look = () => api.inspect(path.trim(), anything).then(set, () => set(null));
    const timer = setTimeout(() => (path.trim() ? void look() : set(null)), TYPING_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [path, anything]);
  return inspected;
}

export function Parameters(props: Props) {
  const { path, anything, text, wrong, onText } = props;
  const inspected = useInspected(path, anything);
  const schema = inspected?.schema;
  const given = known(text);
  const names = Object.keys(schema?.properties ?? {});
  // What the schema does not know stays as it was typed, where it can be seen.
  if (schema && names.length && given && Object.keys(given).every((name) => names.includes(name))) {
    return <Fields key={path} {...props} schema={schema} given={given} />;
  }
  if (inspected && !names.length && !inspected.takes_any && !text.trim()) {
    return (
      <p class="taken quiet">It takes no parameters: a flow has those of its function, a notebook those in its cell with the tag parameters.</p>
    );
  }
  const isNamed = !wrong?.name || wrong.says.startsWith(`'${wrong.name}'`);
  const says = wrong && (isNamed ? wrong.says : `${wrong.name}: ${wrong.says}`);
  return (
    <TextField
      id="deploy-parameters"
      label="Parameters"
      hint='{"limit": 5}'
      about="JSON; what is not given is as the notebook says."
      text={text}
      wrong={says}
      onText={onText}
    />
  );
}

function Fields({ schema, given, wrong, onText }: Props & { schema: Schema; given: Record<string, unknown> }) {
  const all = Object.entries(schema.properties ?? {});
  // Texts as they are typed: what they stand for may be written otherwise.
  const [texts, setTexts] = useState(() => Object.fromEntries(all.map(([name]) => [name, textOf(given[name])])));
  const set = (name: string, text: string) => {
    const now = { ...texts, [name]: text };
    setTexts(now);
    const said = all.filter(([each]) => now[each]?.trim());
    const told = Object.fromEntries(said.map(([each, of]) => [each, valueOf(of, now[each]!)]));
    onText(said.length ? JSON.stringify(told) : "");
  };
  return (
    <fieldset class="taken">
      <legend>Parameters</legend>
      <div class="fields">
        {all.map(([name, of]) => (
          <Field
            key={name}
            name={name}
            schema={of}
            text={texts[name] ?? ""}
            usual={textOf(plain(of).default)}
            from="as written"
            required={false}
            wrong={(texts[name] && problem(of, texts[name], false)) || (wrong?.name === name ? wrong.says : "")}
            onText={(text) => set(name, text)}
          />
        ))}
      </div>
      {wrong && !all.some(([name]) => name === wrong.name) && (
        <p class="wrong" role="alert">
          {wrong.says}
        </p>
      )}
    </fieldset>
  );
}

function known(text: string): Record<string, unknown> | null {
  try {
    return parametersOf(text);
  } catch {
    return null;
  }
}
