// Where the focus is while a form is open, and when it is gone.
import { useEffect, useRef } from "preact/hooks";

const FIELDS = "input:not([readonly]), select, textarea, button";

/** When it is `ready`, its first field has the focus; what was focused before has it again when it goes. */
export function useFocus<Place extends HTMLElement>(ready = true) {
  const form = useRef<Place>(null);
  useEffect(() => {
    if (!ready) return;
    const before = document.activeElement as HTMLElement | null;
    form.current?.querySelector<HTMLElement>(FIELDS)?.focus();
    const held = form.current;
    return () => {
      const { activeElement: now, body } = document;
      // Whoever has gone elsewhere meanwhile stays there.
      if (now === body || held?.contains(now)) before?.focus();
    };
  }, [ready]);
  return form;
}
