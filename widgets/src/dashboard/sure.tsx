// Small forms that open beside what they are about: something is asked for, or asked once more.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Actions } from "./actions";
import type { ApiError } from "./api";
import { useFocus } from "./focus";
import { sentence, tell } from "./parts";

/** What went wrong with a form, and the field that it is about. */
export interface Wrong {
  field: string | null;
  says: string;
}

interface AskProps {
  title: string;
  verb: string;
  danger?: boolean;
  children: ComponentChildren;
  /** throws what is wrong */
  onSend(): Promise<void>;
  onWrong?(wrong: Wrong | null): void;
  onLeave(): void;
}

/** A form with a heading, a button that does it and one that leaves; its first field has the focus. */
export function Ask({ title, verb, danger, children, onSend, onWrong, onLeave }: AskProps) {
  const [busy, setBusy] = useState(false);
  const form = useFocus<HTMLFormElement>();
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    onWrong?.(null);
    try {
      await onSend();
    } catch (error) {
      const { message, field, remedy, isForbidden } = error as ApiError;
      if (onWrong && !isForbidden) onWrong({ field, says: message });
      else tell({ text: `${sentence(message)} ${remedy}`, bad: true });
    }
    setBusy(false);
  };
  return (
    <section class="doing" aria-label={title} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
      <h2>{title}</h2>
      <form class="form" ref={form} onSubmit={(event) => void send(event)}>
        {children}
        <Actions verb={verb} busy={busy} danger={danger} onLeave={onLeave} />
      </form>
    </section>
  );
}

interface RemoveProps {
  name: string;
  children: ComponentChildren;
  remove(): Promise<unknown>;
  onDone(): void;
  onLeave(): void;
}

/** Asked once more: it can't be undone. */
export function Remove({ name, children, remove, onDone, onLeave }: RemoveProps) {
  const send = async () => {
    await remove();
    tell({ text: `${name} is removed.` });
    onDone();
  };
  return (
    <Ask title={`Remove ${name}?`} verb="Remove it" danger onSend={send} onLeave={onLeave}>
      <p>{children}</p>
    </Ask>
  );
}
