// The deployments there are: many pages need their names.
import { signal } from "@preact/signals";
import { api } from "./api";
import { onEvents } from "./live";

export const deployments = signal<{ id: string; name: string }[]>([]);

/** The name of a deployment; "" for none, its id, or the end of that, while its name isn't known. */
export function deploymentName(id: string | null, whole = false): string {
  if (!id) return "";
  const known = deployments.value.find((one) => one.id === id);
  if (!known) ask();
  return known?.name ?? (whole ? id : id.slice(-8));
}

const SEEN_NEW_MS = 3000;
let asked = -Infinity;

/** One that isn't known is new, or gone: they are learned again, now and then. */
function ask(): void {
  if (performance.now() - asked < SEEN_NEW_MS) return;
  asked = performance.now();
  setTimeout(() => void learnDeployments(), 0);
}

export async function learnDeployments(): Promise<void> {
  try {
    deployments.value = (await api.deployments()).deployments;
  } catch {
    // The page that is shown says what is wrong; names come with the next try.
  }
}

const APART_MS = 15_000;

/** Learns them now, and again when runs happen, seldom. */
export function keepDeployments(): void {
  let last = Date.now();
  void learnDeployments();
  onEvents((events) => {
    if (events.length && Date.now() - last < APART_MS) return;
    last = Date.now();
    void learnDeployments();
  });
}
