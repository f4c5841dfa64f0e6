// Fields of forms: a label, something to type in or to choose from, what it is about, and what is wrong.
import type { ComponentChildren } from "preact";
import type { DeployOption } from "./types";
import { called } from "./values";

interface Described {
  id: string;
  "aria-describedby": string;
  "aria-invalid": true | undefined;
}

interface FieldProps {
  id: string;
  label: string;
  about: ComponentChildren;
  wrong?: string | undefined;
  children(props: Described): ComponentChildren;
}

/** What it holds gets the id, and the words that describe it. */
export function Field({ id, label, about, wrong, children }: FieldProps) {
  const told = `${id}-about`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": told, "aria-invalid": wrong ? true : undefined })}
      <p id={told} class={wrong ? "wrong" : "quiet"} role={wrong ? "alert" : undefined}>
        {wrong || about}
      </p>
    </div>
  );
}

interface TextProps {
  id: string;
  label: string;
  about?: ComponentChildren;
  text: string;
  wrong?: string | undefined;
  hint?: string;
  required?: boolean;
  mode?: "numeric" | "decimal" | "url" | undefined;
  lines?: number;
  list?: string[] | undefined;
  onText(text: string): void;
}

/** A line of text, or more lines; with a list, one of it may be chosen. */
export function TextField({ id, label, about = "", text, wrong, hint, required, mode, lines, list, onText }: TextProps) {
  const set = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  const names = `${id}-names`;
  return (
    <Field id={id} label={label} about={about} wrong={wrong}>
      {(props) => {
        const all = { ...props, value: text, placeholder: hint, required, spellcheck: false, autocomplete: "off", onInput: set };
        if (lines) return <textarea {...all} rows={lines} />;
        return (
          <>
            <input {...all} type="text" inputMode={mode} list={list?.length ? names : undefined} />
            {!!list?.length && (
              <datalist id={names}>
                {list.map((each) => (
                  <option key={each} value={each} />
                ))}
              </datalist>
            )}
          </>
        );
      }}
    </Field>
  );
}

/** A date and a time of day, in a zone that is said elsewhere. */
export function MomentField({ id, label, about = "", text, wrong, onText }: TextProps) {
  return (
    <Field id={id} label={label} about={about} wrong={wrong}>
      {(props) => (
        <input
          {...props}
          type="datetime-local"
          step={/:\d\d:/.test(text) ? 1 : 60}
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceProps {
  id: string;
  label: string;
  about?: ComponentChildren;
  value: string;
  wrong?: string | undefined;
  choices: [value: string, says: string][];
  onText(text: string): void;
}

export function ChoiceField({ id, label, about = "", value, wrong, choices, onText }: ChoiceProps) {
  return (
    <Field id={id} label={label} about={about} wrong={wrong}>
      {(props) => (
        <select {...props} value={value} onChange={(event) => onText(event.currentTarget.value)}>
          {choices.map(([each, says]) => (
            <option key={each} value={each}>
              {says}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface OptionProps {
  option: DeployOption;
  text: string;
  wrong: string | undefined;
  names: string[] | undefined;
  onText(text: string): void;
}

const HOW: Record<string, string> = { pairs: "One a line.", limits: "By commas.", list: "By commas." };
const MODES = { whole: "numeric", number: "decimal" } as const;

/** The field of an option, as the server describes it. */
export function OptionField({ option, text, wrong, names, onText }: OptionProps) {
  const { field, takes, help, metavar, words, default: usual } = option;
  // The help is that of the command line, where an option has another name.
  const here = help.replace(/--([a-z-]+)/g, (_, name: string) => `“${called(name.replaceAll("-", "_"))}”`);
  const about = [here, HOW[takes]].filter(Boolean).join(" ");
  const base = { id: `deploy-${field}`, label: called(field), wrong, about, onText };
  if (takes === "flag") {
    const choices: [string, string][] = [["", "no"], ["true", "yes"]];
    return <ChoiceField {...base} value={text} choices={choices} />;
  }
  if (takes === "word") {
    const others = words.filter((word) => word !== usual).map((word): [string, string] => [word, said(word)]);
    return <ChoiceField {...base} value={text} choices={[["", usual ? said(usual) : "…"], ...others]} />;
  }
  const hint = takes === "duration" ? usual || "10m" : usual || metavar;
  return (
    <TextField
      {...base}
      text={text}
      hint={hint}
      mode={MODES[takes as "whole"]}
      lines={takes === "pairs" ? 2 : 0}
      list={takes === "text" ? names : undefined}
    />
  );
}

const said = (word: string) => word.replaceAll("_", " ");
