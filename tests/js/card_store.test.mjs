import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { RunStore, summary } = await load("card/store.ts");
const { apiOf } = await load("card/actions.tsx");
const { decodeFrame } = await load("card/frames.ts");

const RUN = {
  id: "r",
  short: "r",
  name: "flow",
  state: { type: "RUNNING", name: "Running" },
  started: 0,
  ended: null,
  now: 1000,
};
const row = (index, name, type = name.toUpperCase(), message = "") => [
  index, `t${index}`, type, name, 1, 0, null, message,
];
// The same bytes are written by tests/widgets/test_run_card.py.
const FRAME =
  "010100000000000007000000000000000000000000408f40030000000000000002000000ff000000000100";
const bytes = (hex) => {
  const padded = Buffer.concat([Buffer.from([9]), Buffer.from(hex, "hex")]);
  return new DataView(padded.buffer, padded.byteOffset + 1, padded.length - 1);
};

test("a frame written in Python is read, whatever its alignment", () => {
  const frame = decodeFrame(bytes(FRAME));
  assert.equal(frame.seq, 7);
  assert.equal(frame.ts, 1000);
  assert.deepEqual([...frame.indices], [0, 2, 255]);
  assert.deepEqual([...frame.states], [0, 1, 0]);
});

test("what is not a whole frame of our version is refused", () => {
  assert.equal(decodeFrame(bytes("01")), null);
  assert.equal(decodeFrame(bytes(`02${FRAME.slice(2)}`)), null);
  assert.equal(decodeFrame(bytes(FRAME.slice(0, -2))), null);
});

test("deltas change rows, counts and the run", () => {
  const store = new RunStore(RUN, 0);
  assert.ok(store.apply({ kind: "delta", seq: 1, tasks: [row(0, "Running"), row(1, "Pending")] }, [], 0));
  assert.ok(store.apply({ kind: "delta", seq: 2, tasks: [row(0, "Completed")], run: { ...RUN, ended: 5 } }, [], 9));
  assert.equal(store.count("COMPLETED"), 1);
  assert.equal(store.count("RUNNING"), 0);
  assert.equal(store.run.ended, 5);
  assert.equal(store.heard, 9);
  assert.equal(summary(store), "1 of 2 done");
  assert.deepEqual([...store.takeDirty()], [0, 1]);
  assert.equal(store.takeDirty().size, 0);
});

test("a gap is noticed, and healed by a snapshot that is not older", () => {
  const store = new RunStore(RUN, 0);
  store.apply({ kind: "delta", seq: 1, tasks: [row(0, "Running")] }, [], 0);
  assert.equal(store.apply({ kind: "delta", seq: 3, tasks: [row(2, "Running")] }, [], 0), false);
  assert.equal(store.apply({ kind: "delta", seq: 4, tasks: [] }, [], 0), false);
  store.load({ seq: 2, run: RUN, tasks: [row(2, "Pending")], total: 1, counts: {} }, 0);
  assert.equal(store.stateAt(2).name, "Running");
  assert.ok(store.stale);
  store.load({ seq: 4, run: RUN, tasks: [row(0, "Failed"), row(1, "Cached", "COMPLETED"), row(2, "Running")], total: 3, counts: {} }, 0);
  assert.ok(!store.stale);
  assert.ok(store.apply({ kind: "delta", seq: 5, tasks: [] }, [], 0));
  assert.equal(summary(store), "2 of 3 done, 1 failed");
});

test("a frame of many states names the new tasks and drops the words of the old", () => {
  const store = new RunStore(RUN, 0);
  store.apply({ kind: "delta", seq: 6, tasks: [row(0, "AwaitingRetry", "SCHEDULED", "in 8 s")] }, [], 0);
  store.load({ seq: 6, run: RUN, tasks: [], total: 0, counts: {} }, 0);
  const note = { kind: "frame", seq: 7, n: 3, states: [["COMPLETED", "Completed"], ["RUNNING", "Running"]] };
  const fresh = [[2, "b"], [255, "c"]];
  assert.ok(store.apply({ ...note, new: fresh }, [bytes(FRAME)], 0));
  assert.equal(store.nameAt(255), "c");
  assert.equal(store.size, 256);
  assert.equal(store.count("COMPLETED"), 2);
  assert.equal(store.rows.get(0)[7], "");
});

test("a frame about tasks never introduced asks for a resync", () => {
  const store = new RunStore(RUN, 0);
  const hex = "010100000000000001000000000000000000000000408f40010000000500000000";
  const note = { kind: "frame", seq: 1, n: 1, states: [["RUNNING", "Running"]] };
  assert.equal(store.apply(note, [bytes(hex)], 0), false);
  assert.equal(store.count("RUNNING"), 1);
});

test("a snapshot's cells stand for the rows it leaves out", () => {
  const store = new RunStore(RUN, 0);
  const cells = Buffer.from([0, 255, 1, 0]).toString("base64");
  const states = [["COMPLETED", "Completed"], ["FAILED", "Failed"]];
  store.load({ seq: 9, run: RUN, tasks: [row(3, "Completed")], total: 3, counts: {}, states, cells }, 0);
  assert.equal(store.size, 4);
  assert.equal(store.stateAt(1), undefined);
  assert.equal(store.stateAt(2).name, "Failed");
  assert.equal(store.count("COMPLETED"), 2);
});

test("any order of drops and snapshots ends where the kernel is", () => {
  let random = 12345;
  const roll = (n) => (random = (random * 1103515245 + 12345) % 2147483648) % n;
  const names = ["Pending", "Running", "Completed", "Failed"];
  const truth = new Map();
  const store = new RunStore(RUN, 0);
  for (let seq = 1; seq <= 500; seq++) {
    const rows = Array.from({ length: roll(5) }, () => row(roll(90), names[roll(4)]));
    for (const one of rows) truth.set(one[0], one);
    if (roll(7)) store.apply({ kind: "delta", seq, tasks: rows }, [], 0);
    if (roll(20) === 0) store.load({ seq, run: RUN, tasks: [...truth.values()], total: 0, counts: {} }, 0);
  }
  store.load({ seq: 500, run: RUN, tasks: [...truth.values()], total: 0, counts: {} }, 0);
  for (const [index, one] of truth) assert.equal(store.stateAt(index).name, one[3]);
  assert.equal(store.count("PENDING", "RUNNING", "COMPLETED", "FAILED"), truth.size);
});

test("the API is looked for on the server that the page came from, and nowhere else", () => {
  const page = (config) => ({
    getElementById: (id) => (id === "jupyter-config-data" && config !== null ? { textContent: config } : null),
  });
  const here = "https://hub.example/user/ann/lab/tree/x.ipynb";
  const of = (config) => apiOf(page(config), here);
  assert.equal(of('{"baseUrl": "/user/ann/"}'), "/user/ann/orion/api/v1");
  assert.equal(of('{"baseUrl": "/"}'), "/orion/api/v1");
  assert.equal(of('{"baseUrl": "https://hub.example/user/ann"}'), "/user/ann/orion/api/v1");
  for (const none of [null, "", "{}", '{"baseUrl": "https://elsewhere.example/"}', '{"baseUrl": "//elsewhere.example/"}'])
    assert.equal(of(none), "", String(none));
});
