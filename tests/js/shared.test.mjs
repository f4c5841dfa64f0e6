import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { absolute, duration, relative, withZone } = await load("shared/times.ts");
const { cellAt, layout, step } = await load("shared/grid.ts");
const { isTerminal, lookOf, words } = await load("shared/looks.ts");
const { luminance } = await load("shared/theme.ts");

test("durations are read at a glance", () => {
  const told = [[0.2, "< 1 ms"], [840, "840 ms"], [12_400, "12.4 s"], [59_990, "1 min"], [200_000, "3 min 20 s"], [7_500_000, "2 h 5 min"], [90_000_000, "1 d 1 h"], [-5, "< 1 ms"]];
  for (const [ms, text] of told) assert.equal(duration(ms), text);
  assert.equal(duration(12_900, true), "12 s");
});

test("moments are told from now", () => {
  const now = 1_700_000_000_000;
  const told = [[0, "just now"], [-12_000, "12 s ago"], [-300_000, "5 min ago"], [12_000, "in 12 s"], [-86_400_000, "1 day ago"], [7_200_000, "in 2 h"]];
  for (const [away, text] of told) assert.equal(relative(now + away, now), text);
  assert.match(absolute(now), /2023/);
});

test("states are told by name, else by type, in words", () => {
  assert.equal(lookOf("COMPLETED", "Cached").glyph, "◆");
  assert.equal(lookOf("FAILED", "TimedOut").glyph, "✖");
  assert.equal(lookOf("?", "?").glyph, "?");
  assert.equal(lookOf("FAILED", "Failed", { FAILED: { glyph: "F" } }).glyph, "F");
  assert.equal(words("AwaitingRetry"), "Awaiting retry");
  assert.ok(isTerminal("CRASHED"));
  assert.ok(!isTerminal("PAUSED"));
});

test("cells shrink until all of them fit", () => {
  assert.equal(layout(100, 800, 320).pitch, 16);
  const many = layout(10_000, 800, 320);
  assert.ok(many.rows * many.pitch <= 320);
  assert.equal(layout(1_000_000, 800, 320).pitch, 3);
  assert.equal(cellAt(many, 10_000, many.pitch * 2 + 1, many.pitch + 1), many.columns + 2);
  assert.equal(cellAt(many, 10_000, 799.9, 9999), -1);
  assert.equal(cellAt(many, 10_000, -1, 0), -1);
});

test("arrow keys stay within the grid", () => {
  assert.equal(step("ArrowRight", 3, 10, 4), 4);
  assert.equal(step("ArrowDown", 3, 10, 4), 7);
  assert.equal(step("ArrowDown", 7, 10, 4), 7);
  assert.equal(step("ArrowUp", 3, 10, 4), 3);
  assert.equal(step("End", 3, 10, 4), 9);
  assert.equal(step("Enter", 3, 10, 4), 3);
});

test("luminance tells light from dark, and what lets the ground through from both", () => {
  assert.equal(luminance("rgb(255, 255, 255)"), 1);
  assert.ok(luminance("rgb(17, 17, 17)") < 0.01);
  assert.equal(luminance("rgba(0, 0, 0, 0)"), null);
  assert.equal(luminance("transparent"), null);
});

test("a moment is told on the clock of a zone, and here if the zone is not known", () => {
  const skipped = Date.UTC(2027, 2, 28, 1); // 2:30 is left out in Berlin: clocks go on to 3:00
  assert.match(withZone(skipped, "Europe/Berlin"), /\b3:00:00\s?AM (GMT\+2|CEST)|03:00:00/);
  assert.equal(withZone(skipped, "Mars/Olympus"), withZone(skipped));
});
