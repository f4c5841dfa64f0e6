import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { ASPECTS, KEYS, completions, stateless, statesCalled, statesIn, toggleState } = await load("dashboard/filter.ts");
const { parsePlace, hrefs } = await load("dashboard/router.ts");
const { tree } = await load("dashboard/tasks.tsx");
const { ApiError, resolved } = await load("dashboard/api.ts");
const { xsrf } = await load("dashboard/connection.ts");
const { kindOf, plain, problem, valueOf } = await load("dashboard/form.tsx");
const { bytes } = await load("dashboard/cells.tsx");
const { called, differences, fieldsOf, pairsOf, read, wallTime, written, writtenPairs } = await load("dashboard/values.ts");
const { wordsOf } = await load("dashboard/notifications.tsx");
const { Refresher } = await load("dashboard/query.ts");

const run = (id, more = {}) => ({
  id,
  kind: "task",
  name: "prices",
  run_name: null,
  parent: null,
  deployment: null,
  state: { type: "COMPLETED", name: "Cached", scheduled_time: null },
  ...more,
});

test("the states that a filter asks for are found among its words", () => {
  assert.deepEqual(statesIn('load state:failed,cached name:"state:late x" -state:completed'), ["FAILED", "Cached"]);
  assert.equal(stateless('a state:failed  name:"b  c" -state:late'), 'a name:"b  c" -state:late');
  assert.deepEqual(statesIn("state:"), []);
});

test("half a word already means states", () => {
  assert.deepEqual(statesCalled("fail"), ["FAILED"]);
  assert.deepEqual(statesCalled("c"), ["CANCELLING", "COMPLETED", "CRASHED", "CANCELLED"]);
  assert.deepEqual(statesCalled("timed"), ["TimedOut"]);
  assert.deepEqual(statesCalled("late"), ["Late"]);
});

test("the last word is completed, with what stands before it", () => {
  assert.deepEqual(completions("a sta"), ["a state:", "a start>"]);
  assert.deepEqual(completions("-state:ca"), ["-state:cancelling", "-state:cancelled", "-state:cached"]);
  assert.deepEqual(completions("is:un"), ["is:unfinished"]);
  assert.deepEqual(completions(""), []);
  assert.ok(KEYS.length > 20 && ASPECTS.includes("late"));
});

test("a count pressed sets the state, pressed again takes it away", () => {
  assert.equal(toggleState("prices", "FAILED"), "state:failed prices");
  assert.equal(toggleState("state:failed prices", "FAILED"), "prices");
  assert.equal(toggleState('state:failed name:"a b"', "RUNNING"), 'state:running name:"a b"');
});

test("every page has an address, and every address a page", () => {
  assert.equal(parsePlace("").page, "runs");
  assert.equal(parsePlace(hrefs.runs("state:failed a&b")).query.get("q"), "state:failed a&b");
  const task = parsePlace(hrefs.run("ab12", "cd"));
  assert.deepEqual([task.page, task.id, task.query.get("task")], ["run", "ab12", "cd"]);
  assert.equal(parsePlace("#/deployments").page, "deployments");
  const one = parsePlace(hrefs.deployment("a b/ü"));
  assert.deepEqual([one.page, one.id], ["deployment", "a b/ü"]);
  for (const page of ["logs", "artifacts", "limits", "notifications", "secrets"]) assert.equal(parsePlace(`#/${page}`).page, page);
  assert.equal(parsePlace("#/nowhere/at/all").page, "lost");
  assert.equal(parsePlace("#/runs/%E0%A4%A").id, "%E0%A4%A");
});

test("a form knows what a parameter may be, and says what is wrong with it", () => {
  const maybe = { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null, description: "how many" };
  assert.equal(kindOf(maybe), "whole");
  assert.equal(plain(maybe).description, "how many");
  assert.equal(problem(maybe, "", false), "");
  assert.match(problem(maybe, "", true), /required/);
  assert.match(problem(maybe, "1.5", false), /whole number/);
  assert.match(problem(maybe, "0", false), /1 or more/);
  assert.match(problem({ type: "number" }, "x", false), /number/);
  assert.match(problem({ type: "array" }, "[1", false), /JSON list/);
  assert.deepEqual(["string", "boolean", "object"].map((type) => kindOf({ type })), ["text", "flag", "json"]);
  assert.equal(valueOf({ type: "integer" }, "9007199254740993"), "9007199254740993");
  assert.deepEqual(valueOf({ type: "array" }, '["a"]'), ["a"]);
  assert.equal(valueOf({ type: "boolean" }, "true"), true);
  assert.equal(valueOf({ enum: [1, 2] }, "2"), 2);
  assert.equal(valueOf({ type: "string" }, "5"), "5");
});

test("the members of an enum are choices, and a Decimal is a number that is kept to the digit", () => {
  const schema = resolved({
    $defs: { Region: { enum: ["north", "south"], type: "string" } },
    properties: {
      region: { $ref: "#/$defs/Region", default: "north" },
      maybe: { anyOf: [{ $ref: "#/$defs/Region" }, { type: "null" }] },
      price: { anyOf: [{ type: "number" }, { type: "string" }], default: "1.50" },
    },
  });
  const { region, maybe, price } = schema.properties;
  assert.deepEqual([region, maybe, price].map(kindOf), ["choice", "choice", "number"]);
  assert.deepEqual([region.default, valueOf(maybe, "south"), valueOf(price, "2.10")], ["north", "south", "2.10"]);
  assert.equal(problem(price, "cheap", false), "A number, please.");
});

test("sizes are read at a glance", () => {
  assert.deepEqual([0, 999, 1234, 60_400_000].map(bytes), ["0 B", "999 B", "1.2 kB", "60 MB"]);
});

test("tasks stand under their parents, in the order they were made", () => {
  const runs = [
    run("5", { parent: "top" }), run("4", { parent: "3" }), run("3", { parent: "top" }),
    run("6", { parent: "not loaded" }), run("top"),
  ];
  const told = tree(runs, "top").map(({ run: { id }, depth }) => `${id}:${depth}`);
  assert.deepEqual(told, ["3:0", "4:1", "5:0", "6:0"]);
});

test("a run that is its own ancestor does not hang the page", () => {
  assert.deepEqual(tree([run("1", { parent: "2" }), run("2", { parent: "1" })], "top"), []);
});

test("the XSRF token is found among the cookies", () => {
  assert.equal(xsrf("a=1; _xsrf=2|ab|cd; b=3"), "2|ab|cd");
  assert.equal(xsrf("not_xsrf=1"), "");
});

test("every error says what to do", () => {
  for (const status of [0, 401, 403, 404, 422, 500]) assert.ok(new ApiError(status, "no").remedy);
});

test("many triggers make few loads, and none overlap", async () => {
  let running = 0;
  let loads = 0;
  const { promise, resolve } = Promise.withResolvers?.() ?? deferred();
  const refresher = new Refresher(async () => {
    assert.equal(running++, 0);
    await Promise.resolve();
    running--;
    loads++;
    if (loads === 1) for (let i = 0; i < 10; i++) refresher.trigger(1);
    else resolve();
  });
  for (let i = 0; i < 10; i++) refresher.trigger(1);
  await promise;
  refresher.stop();
  assert.equal(loads, 2);
});

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

const option = (takes, more = {}) => ({ name: "x", field: "x", group: "execution", takes, default: "", words: [], ...more });

test("what is said of a deployment is written as text, and read back as the same", () => {
  const cases = [
    ["duration", 5400, "90m", "90m"],
    ["duration", 90, "90s", "90s"],
    ["pairs", { MODE: "full", X: "a=b" }, "MODE=full\nX=a=b"],
    ["limits", { db: null, api: 3 }, "db, api=3"],
    ["list", ["bi", "nightly"], "bi, nightly"],
    ["whole", 3, "3"],
    ["flag", true, "true"],
    ["text", "python3", "python3"],
  ];
  for (const [takes, value, text, back = value] of cases) {
    assert.equal(written(option(takes), value), text);
    assert.deepEqual(read(option(takes), text), back);
  }
});

test("what holds anyway is an empty field, and an empty field is what holds anyway", () => {
  for (const value of [null, undefined, false]) assert.equal(written(option("text"), value), "");
  assert.equal(written(option("duration", { default: "60s" }), 60), "");
  assert.equal(written(option("whole", { default: "0" }), 0), "");
  assert.equal(read(option("whole"), " "), null);
});

test("what can't be read names its field", () => {
  const fields = (takes, text) => {
    try {
      return read(option(takes, { field: "env" }), text);
    } catch (error) {
      return error.field;
    }
  };
  assert.equal(fields("pairs", "MODE"), "env");
  assert.equal(fields("limits", "db=many"), "env");
  assert.equal(fields("whole", "many"), "many"); // the server says what is wrong with it
});

test("each field of a deployment has one place in the form", () => {
  const options = [
    option("word", { name: "track", field: "track" }),
    option("flag", { name: "pin", field: "track" }),
    option("text", { name: "cron", field: "schedules" }),
  ];
  assert.deepEqual(fieldsOf(options).map(({ name }) => name), ["track"]);
  assert.deepEqual([called("cell_timeout"), called("sla_start"), called("env")], ["Cell timeout", "SLA start", "Environment"]);
});

test("what a change would do is told field by field", () => {
  const before = { retries: 0, words: ["every hour"], next_times: [1], updated: 1, tags: [] };
  const after = { retries: 3, words: ["every day"], next_times: [2], updated: 2, tags: [] };
  assert.deepEqual(differences(before, after), [["retries", 0, 3], ["words", ["every hour"], ["every day"]]]);
});

test("the words of a command are kept together by quotes", () => {
  assert.deepEqual(wordsOf(`notify-send "A run" 'has failed' now`), ["notify-send", "A run", "has failed", "now"]);
});

test("an instant is shown by the clocks of its zone, to the second where that matters", () => {
  assert.equal(wallTime("2040-03-01T09:00:00Z", "Europe/Prague"), "2040-03-01T10:00");
  assert.equal(wallTime("2040-06-30T21:59:59.999999Z", "Europe/Prague"), "2040-06-30T23:59:59");
  assert.equal(wallTime("2040-01-01T00:00:00+00:00", "America/New_York"), "2039-12-31T19:00");
});

test("variables are typed one a line, and their values may have anything in them", () => {
  const env = { STAGE: "test", URL: "a=b c" };
  assert.deepEqual(pairsOf("env", writtenPairs(env)), env);
  assert.throws(() => pairsOf("env", "STAGE"), /NAME=VALUE/);
});
