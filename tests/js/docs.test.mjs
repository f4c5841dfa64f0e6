import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { curl, kind, routesOf, search, target } = await load("docs/document.ts");

const told = {
  paths: {
    "/runs/{run_id}": {
      get: { operationId: "read_run", summary: "One run.", description: "", tags: ["runs"], responses: {} },
    },
    "/runs": {
      post: {
        operationId: "create_run", summary: "A run is created.", description: "", tags: ["runs"], responses: {},
        requestBody: { content: { "application/json": { schema: { properties: { policy: {} } } } } },
      },
      get: {
        operationId: "find_runs", summary: "Runs.", description: "", tags: ["runs"], responses: {},
        parameters: [{ name: "q", in: "query", schema: { type: "string" } }],
      },
    },
  },
};
const [readRun, findRuns, createRun] = routesOf(told);

test("routes are listed path by path, reading before writing", () => {
  assert.deepEqual([readRun, findRuns, createRun].map((route) => route.operationId), ["read_run", "find_runs", "create_run"]);
});

test("a search looks at paths, texts and the names of fields", () => {
  const names = (text) => search(routesOf(told), text).map((route) => route.operationId);
  assert.deepEqual(names("POLICY"), ["create_run"]);
  assert.deepEqual(names("run created"), ["create_run"]);
  assert.deepEqual(names("get"), ["read_run", "find_runs"]);
  assert.deepEqual(names("nothing"), []);
  assert.equal(names("").length, 3);
});

test("values go where they belong, escaped", () => {
  assert.equal(target(readRun, { run_id: "a/b c" }), "/runs/a%2Fb%20c");
  assert.equal(target(readRun, {}), "/runs/{run_id}");
  assert.equal(target(findRuns, { q: "state:failed a&b", other: "x" }), "/runs?q=state%3Afailed+a%26b");
});

test("a line of curl says the same, quoted for a shell", () => {
  assert.equal(curl("http://h", findRuns, {}, ""), `curl 'http://h/runs' \\\n  -H "Authorization: token $TOKEN"`);
  const line = curl("http://h", createRun, {}, `{ "name": "it's" }`);
  assert.ok(line.startsWith("curl -X POST 'http://h/runs'"));
  assert.ok(line.endsWith(`--data '{"name":"it'\\''s"}'`));
});

test("types are told in a few words", () => {
  assert.equal(kind({ anyOf: [{ type: "string" }, { type: "null" }] }), "string");
  assert.equal(kind({ type: "array", items: { $ref: "#/components/schemas/Run" } }), "list of Run");
  assert.equal(kind({ type: ["integer", "string"], format: "date-time" }), "moment");
  assert.equal(kind({ enum: ["flow", "task"] }), "flow | task");
  assert.equal(kind({}), "any");
});
