// The two buttons at the end of a form: do it, or leave.

interface Props {
  verb: string;
  busy: boolean;
  danger?: boolean;
  onLeave: () => void;
}

export function Actions({ verb, busy, danger = false, onLeave }: Props) {
  return (
    <div class="actions">
      <button type="submit" class={danger ? "danger" : "primary"} disabled={busy}>
        {verb}
      </button>
      <button type="button" onClick={onLeave}>
        Cancel
      </button>
    </div>
  );
}
