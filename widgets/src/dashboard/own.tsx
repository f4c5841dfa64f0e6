// What is said of one run alone: the kernel that executes it, and more environment variables.
import { useEffect, useRef, useState } from "preact/hooks";
import { Actions } from "./actions";
import { api, type ApiError } from "./api";
import { TextField } from "./fields";
import { outcome, tell } from "./parts";
import { useQuery } from "./query";
import type { OwnOfRun, Run } from "./types";
import { pairsOf, Unreadable, writtenPairs } from "./values";

export interface OwnTexts {
  kernel: string;
  env: string;
}

export const NOTHING_OWN: OwnTexts = { kernel: "", env: "" };

/** What is sent; what is not typed is left out. Throws Unreadable. */
export function ownOf({ kernel, env }: OwnTexts): OwnOfRun {
  const told: OwnOfRun = {};
  if (kernel.trim()) told.kernel = kernel.trim();
  if (env.trim()) told.env = pairsOf("env", env);
  return told;
}

interface FieldsProps {
  texts: OwnTexts;
  /** what holds when nothing is typed */
  usual: { kernel: string; env: string };
  /** a flow is run in no kernel */
  isFlow: boolean;
  wrong: { field: string | null; message: string } | undefined;
  onTexts(texts: OwnTexts): void;
}

export function OwnFields({ texts, usual, isFlow, wrong, onTexts }: FieldsProps) {
  const { data } = useQuery("deployment options", api.deploymentOptions, () => false);
  const wrongOf = (field: string) => (wrong?.field === field ? wrong.message : undefined);
  return (
    <>
      {!isFlow && (
        <TextField
          id="own-kernel"
          label="Kernel"
          about={`For this run alone; otherwise ${usual.kernel}.`}
          text={texts.kernel}
          wrong={wrongOf("kernel")}
          list={data?.names.kernels}
          onText={(kernel) => onTexts({ ...texts, kernel })}
        />
      )}
      <TextField
        id="own-env"
        label="Environment"
        about={`For this run alone, NAME=VALUE one a line; ${usual.env}. No place for secrets.`}
        text={texts.env}
        wrong={wrongOf("env")}
        lines={2}
        onText={(env) => onTexts({ ...texts, env })}
      />
    </>
  );
}

/** The same out of the way until it is wanted, or wrong. */
export function MoreOwn(props: FieldsProps) {
  const more = useRef<HTMLDetailsElement>(null);
  const isWrong = props.wrong?.field === "kernel" || props.wrong?.field === "env";
  useEffect(() => {
    if (isWrong && more.current) more.current.open = true;
  }, [isWrong]);
  return (
    <details class="more-options" ref={more}>
      <summary>More options</summary>
      <div class="form">
        <OwnFields {...props} />
      </div>
    </details>
  );
}

interface RerunProps {
  run: Run;
  isFlow: boolean;
  onDone(): void;
  onLeave(): void;
}

/** A finished run is run once more, as it was or in another kernel and with other variables. */
export function RerunForm({ run, isFlow, onDone, onLeave }: RerunProps) {
  const before = { kernel: run.policy.kernel ?? "", env: writtenPairs(run.policy.env) };
  const [texts, setTexts] = useState<OwnTexts>(before);
  const [wrong, setWrong] = useState<{ field: string | null; message: string }>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("input, textarea")?.focus(), []);
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const told = ownOf(texts);
      // What was said of it is taken back where nothing is said any more.
      if (texts.kernel !== before.kernel) told.kernel ??= "";
      if (texts.env !== before.env) told.env ??= {};
      tell({ text: outcome(await api.rerun(run.id, told)) });
      onDone();
    } catch (trouble) {
      const { field, message } = trouble as ApiError | Unreadable;
      setWrong({ field, message });
    }
    setBusy(false);
  };
  const isElsewhere = wrong && wrong.field !== "kernel" && wrong.field !== "env";
  return (
    <section class="doing" aria-label={`Rerun ${run.name}`}>
      <h2>Rerun with</h2>
      <form class="form" ref={form} onSubmit={(event) => void send(event)} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
        <OwnFields
          texts={texts}
          usual={{ kernel: "that of its deployment", env: "over those of its deployment" }}
          isFlow={isFlow}
          wrong={wrong}
          onTexts={setTexts}
        />
        {isElsewhere && (
          <p class="wrong" role="alert">
            {wrong.message}
          </p>
        )}
        <Actions verb="Rerun" busy={busy} onLeave={onLeave} />
      </form>
    </section>
  );
}
