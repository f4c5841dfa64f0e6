// The small buttons of a row: a drawing, its name for those who point at it or can't see it.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { act } from "../dashboard/parts";

const DRAWINGS = {
  run: <path d="M5 3.2v9.6l7.6-4.8z" />,
  pause: <path d="M4.4 3.2h2.4v9.6H4.4zM9.2 3.2h2.4v9.6H9.2z" />,
  resume: <path d="M3.6 3.2H6v9.6H3.6zM7.6 3.2v9.6L14 8z" />,
  cancel: <path d="M4.2 3L3 4.2 6.8 8 3 11.8 4.2 13 8 9.2l3.8 3.8 1.2-1.2L9.2 8 13 4.2 11.8 3 8 6.8z" />,
  rerun: <path d="M8 2.6a5.4 5.4 0 1 0 5.2 6.8h-1.8A3.7 3.7 0 1 1 8 4.3c1 0 2 .4 2.6 1.1L8.7 7.3h4.7V2.6l-1.5 1.5A5.4 5.4 0 0 0 8 2.6z" />,
} satisfies Record<string, ComponentChildren>;

interface Props {
  drawing: keyof typeof DRAWINGS;
  label: string;
  /** what is done; the text tells how it went */
  onDo(): Promise<{ text: string; href?: string }>;
  onDone(): void;
}

export function IconButton({ drawing, label, onDo, onDone }: Props) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    await act(onDo);
    setBusy(false);
    onDone();
  };
  return (
    <button type="button" class="icon" aria-label={label} title={label} disabled={busy} onClick={() => void press()}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="currentColor">
        {DRAWINGS[drawing]}
      </svg>
    </button>
  );
}
