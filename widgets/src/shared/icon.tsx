// The glyphs of the states as drawings, so that they look the same in every font and on every system.
import type { ComponentChildren } from "preact";
import type { Look } from "./looks";

const RING = <circle cx="8" cy="8" r="5.75" fill="none" stroke="currentColor" stroke-width="1.7" />;

function strokes(d: string, color = "currentColor"): ComponentChildren {
  return (
    <path
      d={d}
      fill="none"
      stroke={color}
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  );
}

// Filled marks are cut out in the colour of the ground they stand on.
const GROUND = "var(--orion-ground)";

const DRAWINGS: Record<string, ComponentChildren> = {
  "◷": [RING, strokes("M8 4.8V8l2.1 1.5")],
  "◷!": [RING, strokes("M8 4.7v3.8M8 11v.1")],
  "↻": strokes("M13 8a5 5 0 1 1-1.6-3.7M13.2 2.2v3h-3"),
  "○": RING,
  "◐": [RING, <path d="M8 2.6a5.4 5.4 0 0 0 0 10.8z" fill="currentColor" />],
  "❚❚": <path d="M4 3h3v10H4zM9 3h3v10H9z" fill="currentColor" />,
  "⊘": [RING, strokes("M4.2 11.8l7.6-7.6")],
  "✔": [<circle cx="8" cy="8" r="6.6" fill="currentColor" />, strokes("M5 8.2l2.1 2.1L11 6", GROUND)],
  "◆": <path d="M8 1.2L14.8 8 8 14.8 1.2 8z" fill="currentColor" />,
  "✖": [
    <rect x="1.8" y="1.8" width="12.4" height="12.4" rx="3" fill="currentColor" />,
    strokes("M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2", GROUND),
  ],
  "⚡": <path d="M9.6 1L3.2 9.2h3.9L6.4 15l6.4-8.2H8.9z" fill="currentColor" />,
};

/** The glyph of a state in its colour; the word beside it says the same to those who can't see it. */
export function Glyph({ look, size = 16 }: { look: Look; size?: number }) {
  const drawing = DRAWINGS[look.glyph];
  const colors = `--orion-light:${look.light};--orion-dark:${look.dark}`;
  const spins = look.glyph === "◐" ? " orion-spins" : "";
  return (
    <span class="orion-glyph" style={colors} aria-hidden="true">
      {drawing ? (
        <svg class={spins} width={size} height={size} viewBox="0 0 16 16">
          {drawing}
        </svg>
      ) : (
        look.glyph
      )}
    </span>
  );
}
