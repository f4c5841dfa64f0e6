"""The parts of the front end that need no browser are true, and agree with the Python side."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from orion_nb.schemas.filter_values import ASPECTS, KEYS
from orion_nb.schemas.states import LOOKS, NAMES

ROOT = Path(__file__).parent.parent
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="needs node (Debian: nodejs)"),
    pytest.mark.skipif(
        not (ROOT / "widgets/node_modules/esbuild").exists(), reason="run `npm ci` in widgets/"
    ),
]


def run_node(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NODE), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_the_front_end_passes_its_own_tests() -> None:
    tests = sorted(str(path) for path in (ROOT / "tests/js").glob("*.test.mjs"))
    done = run_node("--test", *tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_sides_name_and_draw_the_states_alike() -> None:
    script = """
        import { load } from "./tests/js/load.mjs";
        const { NAMES, LOOKS } = await load("shared/looks.ts");
        console.log(JSON.stringify({ NAMES, LOOKS }));
    """
    done = run_node("--input-type=module", "--eval", script)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    ours = {
        str(name): {"glyph": look.glyph, "light": look.light, "dark": look.dark}
        for name, look in LOOKS.items()
    }
    assert theirs["LOOKS"] == ours
    assert theirs["NAMES"] == {kind.value: list(names) for kind, names in NAMES.items()}


def test_both_sides_know_the_same_words_of_a_filter() -> None:
    script = """
        import { load } from "./tests/js/load.mjs";
        const { KEYS, ASPECTS } = await load("dashboard/filter.ts");
        console.log(JSON.stringify({ KEYS, ASPECTS }));
    """
    done = run_node("--input-type=module", "--eval", script)
    assert done.returncode == 0, done.stderr
    ours = [key.name + key.ops[0] for key in KEYS.values() if key.name != "text"]
    assert json.loads(done.stdout) == {"KEYS": ours, "ASPECTS": list(ASPECTS)}
