// Tells whether what we are shown on is light or dark, and when that changes.

function channel(value: number): number {
  const unit = value / 255;
  return unit <= 0.04045 ? unit / 12.92 : ((unit + 0.055) / 1.055) ** 2.4;
}

/** The relative luminance of a CSS `rgb()`/`rgba()` colour; null when it lets the ground through. */
export function luminance(color: string): number | null {
  const parts = color.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red, green, blue, alpha = 1] = parts;
  if (red === undefined || green === undefined || blue === undefined || alpha < 0.5) return null;
  return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
}

/** True when the ground under `element` is dark; the system's preference decides where it has none. */
export function isDark(element: Element): boolean {
  for (let at: Element | null = element.parentElement; at; at = at.parentElement) {
    const light = luminance(getComputedStyle(at).backgroundColor);
    if (light !== null) return light < 0.25;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Calls `changed` whenever the page's theme may have changed, until the returned stop is called. */
export function watchTheme(changed: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(changed);
  const options = { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "data-theme", "style"] };
  for (const node of [document.documentElement, document.body]) observer.observe(node, options);
  media.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", changed);
  };
}
