// Text as docstrings have it: paragraphs, lists and `code`; never markup of anybody's.
import type { ComponentChildren } from "preact";

export function Text({ of }: { of: string }) {
  const blocks = of.split(/\n\s*\n/).filter(Boolean);
  return (
    <>
      {blocks.map((block) => {
        const items = block.trim().startsWith("- ") ? block.trim().slice(2).split(/\n\s*- /) : null;
        if (!items) return <p>{inline(block)}</p>;
        return (
          <ul>
            {items.map((item) => (
              <li>{inline(item)}</li>
            ))}
          </ul>
        );
      })}
    </>
  );
}

export function inline(text: string): ComponentChildren {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? <code>{part.replace(/\s+/g, " ")}</code> : part));
}
