// The JavaScript client against a server: node tests/js/client.mjs URL TOKEN; prints what it saw.
import assert from "node:assert/strict";
import { Orion, OrionError, RunStopped } from "../../docs/clients/orion.mjs";

const [url, token] = process.argv.slice(2);
const orion = new Orion(url, token);
const told = {};

async function first(events, many) {
  const found = [];
  for await (const event of events) if (found.push(event) === many) break;
  return found;
}

async function all(events) {
  const found = [];
  for await (const event of events) found.push(event);
  return found;
}

// A task that fails twice and is tried three times.
const policy = { retries: 2, retry_delay: "100ms" };
const attempts = [];
const value = await orion.run(
  "flaky",
  async ({ attempt, log }) => {
    attempts.push(attempt);
    await log(`attempt ${attempt}`);
    if (attempt < 3) throw new TypeError("no route to host");
    return 42;
  },
  { policy, tags: ["js"] },
);
assert.equal(value, 42);
assert.deepEqual(attempts, [1, 2, 3]);
const [flaky] = await all(orion.find("tag:js state:completed"));
told.flaky = flaky.id;

// One that fails for good throws what its work threw.
await assert.rejects(
  orion.run("broken", () => Promise.reject(new RangeError("too far")), {
    policy: { retries: 1 },
    tags: ["js"],
  }),
  (error) => error instanceof RangeError && error.message === "too far",
);

// One that is cancelled is told so while it works.
const asleep = orion.run(
  "asleep",
  async ({ run, signal }) => {
    await orion.cancel(run, "enough");
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
  { tags: ["js"] },
);
await assert.rejects(asleep, (error) => error instanceof RunStopped && error.report.state.type === "CANCELLED");

// Events: the same by stream and by long poll, and a stream goes on where it was left.
const streamed = await first(orion.events({ after: 0, root: flaky.id }), 7);
const polled = await first(orion.poll({ after: 0, root: flaky.id }), 7);
assert.deepEqual(streamed, polled);
told.states = streamed.map((event) => event.state_name);
const rest = await first(orion.events({ after: streamed[2].n, root: flaky.id }), 4);
assert.deepEqual(rest, streamed.slice(3));

// Pages of a list follow one another.
const everyone = await all(orion.find("kind:task tag:js", { limit: 2 }));
assert.deepEqual(everyone.map((run) => run.name), ["asleep", "broken", "flaky"]);

// What is wrong is said.
await assert.rejects(orion.createRun({ kind: "task" }), (error) => {
  assert.ok(error instanceof OrionError);
  told.error = [error.status, error.name, error.field];
  return true;
});

// A server that is away is asked again, and a request is done once however often it is sent.
const real = globalThis.fetch;
let lost = 0;
globalThis.fetch = async (...request) => {
  const answer = await real(...request);
  if (request[1]?.method === "POST" && lost++ < 2) throw new TypeError("the answer was lost on its way");
  return answer;
};
await orion.createRun({ kind: "task", name: "once" });
globalThis.fetch = real;
told.once = (await all(orion.find("task:once"))).length;
told.lost = lost;
console.log(JSON.stringify(told));
