// What is said of one run alone: the kernel that executes it, and more environment variables.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "./api";
import { TextField } from "./fields";
import { outcome, tell } from "./parts";
import { useQuery } from "./query";
import { Ask, type Wrong } from "./sure";
import type { OwnOfRun, Run } from "./types";
import { pairsOf, writtenPairs } from "./values";

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
  wrong: Wrong | null;
  onTexts(texts: OwnTexts): void;
}

export function OwnFields({ texts, usual, isFlow, wrong, onTexts }: FieldsProps) {
  const { data } = useQuery("deployment options", api.deploymentOptions, () => false);
  const wrongOf = (field: string) => (wrong?.field === field ? wrong.says : undefined);
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
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const send = async () => {
    const told = ownOf(texts);
    // What was said of it is taken back where nothing is said any more.
    if (texts.kernel !== before.kernel) told.kernel ??= "";
    if (texts.env !== before.env) told.env ??= {};
    tell({ text: outcome(await api.rerun(run.id, told)) });
    onDone();
  };
  const isElsewhere = wrong && wrong.field !== "kernel" && wrong.field !== "env";
  return (
    <Ask title={`Rerun ${run.name} with`} verb="Rerun" onSend={send} onWrong={setWrong} onLeave={onLeave}>
      <OwnFields
        texts={texts}
        usual={{ kernel: "that of its deployment", env: "over those of its deployment" }}
        isFlow={isFlow}
        wrong={wrong}
        onTexts={setTexts}
      />
      {isElsewhere && (
        <p class="wrong" role="alert">
          {wrong.says}
        </p>
      )}
    </Ask>
  );
}
