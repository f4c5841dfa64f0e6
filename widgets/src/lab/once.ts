// What several tabs of one browser would tell is told by one: the first, and one that is seen if any.

const KEPT = "orion-nb:told";
const MOST = 200;
/** so long a tab that nobody sees leaves it to the others */
const HIDDEN_MS = 1500;
/** so long the tab that tells holds off the others; what it has stored has long come to them then */
const HELD_MS = 60_000;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** True in the one tab that is to tell of it. */
export async function isFirst(key: string): Promise<boolean> {
  if (document.hidden) await sleep(HIDDEN_MS);
  // Locks are exact, but gone with the tab; and there are none outside of secure contexts.
  if (!navigator.locks) return isNew(key);
  return new Promise((answer) => {
    void navigator.locks.request(`${KEPT}:${key}`, { ifAvailable: true }, async (lock) => {
      answer(lock !== null && isNew(key));
      if (lock) await sleep(HELD_MS);
    });
  });
}

/** Stored by no tab yet, as far as has come to this one; from now on it is. */
function isNew(key: string): boolean {
  try {
    const told = JSON.parse(localStorage.getItem(KEPT) ?? "[]") as string[];
    if (told.includes(key)) return false;
    localStorage.setItem(KEPT, JSON.stringify([...told, key].slice(-MOST)));
  } catch {
    // No storage: each tab for itself.
  }
  return true;
}
