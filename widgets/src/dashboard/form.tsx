// A form for the parameters of a notebook or a flow, made from their JSON Schema.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Actions } from "./actions";
import type { ApiError } from "./api";
import type { Schema } from "./types";

export type Kind = "flag" | "choice" | "whole" | "number" | "date" | "text" | "json";

/** The schema without the null that it may be besides. */
export function plain(schema: Schema): Schema {
  const others = schema.anyOf?.filter((each) => each.type !== "null") ?? [];
  return others.length === 1 ? { ...others[0], default: schema.default, description: schema.description } : schema;
}

export function kindOf(schema: Schema): Kind {
  const { type, format, enum: words, anyOf } = plain(schema);
  if (words?.length) return "choice";
  if (anyOf?.some((each) => each.type === "number") && anyOf.some((each) => each.type === "string")) return "number"; // a Decimal
  if (type === "boolean") return "flag";
  if (type === "integer") return "whole";
  if (type === "number") return "number";
  if (type === "string") return format === "date" ? "date" : "text";
  return "json";
}

/** What is wrong with a text for a field; "" if nothing is. An empty one leaves the field out. */
export function problem(schema: Schema, text: string, required: boolean): string {
  if (!text.trim()) return required ? "A value is required." : "";
  const told = plain(schema);
  const kind = kindOf(schema);
  if (kind === "whole" && !/^\s*[+-]?\d+\s*$/.test(text)) return "A whole number, please.";
  if (kind === "number" && !Number.isFinite(Number(text))) return "A number, please.";
  if (kind === "whole" || kind === "number") {
    if (told.minimum !== undefined && Number(text) < told.minimum) return `${told.minimum} or more, please.`;
    if (told.maximum !== undefined && Number(text) > told.maximum) return `${told.maximum} or less, please.`;
  }
  if (kind !== "json" || told.type === undefined) return "";
  try {
    JSON.parse(text);
    return "";
  } catch {
    return told.type === "array" ? 'A JSON list, please: ["a", "b"]' : "A JSON value, please.";
  }
}

/** The value that a text stands for; numbers stay texts, which the server reads exactly. */
export function valueOf(schema: Schema, text: string): unknown {
  const kind = kindOf(schema);
  if (kind === "flag") return text === "true";
  if (kind === "choice") return plain(schema).enum?.find((each) => String(each) === text) ?? text;
  if (kind !== "json") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface FormProps {
  schema: Schema;
  /** the values that hold when nothing is said */
  values: Record<string, unknown>;
  verb: string;
  busy: boolean;
  refused: ApiError | undefined;
  /** fields of other things than parameters, and which they are */
  more?: ComponentChildren;
  others?: string[];
  onSend(parameters: Record<string, unknown>): void;
  onLeave(): void;
}

/** Only what was changed is sent. */
export function ParameterForm({ schema, values, verb, busy, refused, more, others = [], onSend, onLeave }: FormProps) {
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [tried, setTried] = useState(false);
  const fields = Object.entries(schema.properties ?? {});
  const needed = (name: string) => !!schema.required?.includes(name) && values[name] === undefined;
  const wrong = (name: string, of: Schema) =>
    problem(of, texts[name] ?? "", needed(name)) || (refused?.field === name ? refused.message : "");
  const send = (event: Event) => {
    event.preventDefault();
    setTried(true);
    const bad = fields.find(([name, of]) => problem(of, texts[name] ?? "", needed(name)));
    if (bad) return void document.getElementById(`parameter-${bad[0]}`)?.focus();
    const given = fields.filter(([name]) => (texts[name] ?? "").trim());
    onSend(Object.fromEntries(given.map(([name, of]) => [name, valueOf(of, texts[name]!)])));
  };
  const set = (name: string, text: string) => setTexts((before) => ({ ...before, [name]: text }));
  return (
    <form class="form" onSubmit={send} noValidate onKeyDown={(event) => event.key === "Escape" && onLeave()}>
      {fields.map(([name, of]) => (
        <Field
          key={name}
          name={name}
          schema={of}
          text={texts[name] ?? ""}
          usual={textOf(values[name] ?? plain(of).default)}
          required={needed(name)}
          wrong={tried || (texts[name] ?? "") ? wrong(name, of) : ""}
          onText={(text) => set(name, text)}
        />
      ))}
      <p class="quiet">{fields.length ? "What is left empty is as shown." : "It takes no parameters."}</p>
      {more}
      {refused && ![...others, ...fields.map(([name]) => name)].includes(refused.field ?? "") && (
        <p class="wrong" role="alert">
          {refused.message}
        </p>
      )}
      <Actions verb={verb} busy={busy} onLeave={onLeave} />
    </form>
  );
}

interface FieldProps {
  name: string;
  schema: Schema;
  text: string;
  usual: string;
  /** where the usual value comes from */
  from?: string;
  required: boolean;
  wrong: string;
  onText(text: string): void;
}

/** A field for one parameter, of the kind that its schema says. */
export function Field({ name, schema, text, usual, from = "as deployed", required, wrong, onText }: FieldProps) {
  const kind = kindOf(schema);
  const told = plain(schema);
  const about = {
    id: `parameter-${name}`,
    "aria-describedby": `about-${name}`,
    "aria-invalid": wrong ? true : undefined,
    required,
    value: text,
  };
  const choices = kind === "flag" ? ["true", "false"] : (told.enum ?? []).map(String);
  return (
    <div class="field">
      <label for={about.id}>{name}</label>
      {choices.length > 0 ? (
        <select {...about} onChange={(event) => onText(event.currentTarget.value)}>
          <option value="">{usual ? `${usual} (${from})` : "…"}</option>
          {choices.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...about}
          type="text"
          inputMode={kind === "whole" ? "numeric" : kind === "number" ? "decimal" : undefined}
          placeholder={usual || (kind === "date" ? "2026-01-31" : "")}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
      <p id={`about-${name}`} class={wrong ? "wrong" : "quiet"}>
        {wrong || [told.description, KINDS[kind], required ? "required" : ""].filter(Boolean).join(" · ")}
      </p>
    </div>
  );
}

const KINDS: Record<Kind, string> = {
  flag: "",
  choice: "",
  whole: "a whole number",
  number: "a number",
  date: "a date",
  text: "",
  json: "JSON",
};
