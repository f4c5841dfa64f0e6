// `data-theme` follows the system, or the JupyterLab that the dashboard is shown in.

/** The body of the JupyterLab around us, if there is one. */
function labBody(): HTMLElement | null {
  if (typeof window === "undefined") return null;
  try {
    const body = window.parent === window ? null : window.parent.document.body;
    return body && "jpThemeLight" in body.dataset ? body : null;
  } catch {
    return null; // what is around us is of another origin
  }
}

export const lab = labBody();
const listeners = new Set<() => void>();

/** Calls `changed` when light becomes dark or dark light, until the returned stop is called. */
export function onTheme(changed: () => void): () => void {
  listeners.add(changed);
  return () => void listeners.delete(changed);
}

export function followTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const rules = lab ? darkRules() : [];
  const set = () => {
    const isDark = lab ? lab.dataset.jpThemeLight === "false" : system.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    // The style sheet asks the system: here, somebody else answers.
    for (const rule of rules) rule.media.mediaText = isDark ? "all" : "not all";
    listeners.forEach((changed) => changed());
  };
  system.addEventListener("change", set);
  if (lab) new MutationObserver(set).observe(lab, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  set();
}

function darkRules(): CSSMediaRule[] {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  return rules.filter(
    (rule): rule is CSSMediaRule => rule instanceof CSSMediaRule && rule.media.mediaText.includes("prefers-color-scheme"),
  );
}
