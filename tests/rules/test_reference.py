"""The page on the rules is made from the rules, and up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from orion_nb.rules import POLICIES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page():
    return runpy.run_path(str(DOCS / "generate_rules.py"))["page"]()


def test_the_reference_is_up_to_date(page):
    written = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    assert written == page, "run: python docs/generate_rules.py"


def test_every_rule_is_in_it_with_what_it_says(page):
    for rule in {rule for policy in POLICIES.values() for rule in policy}:
        assert f"`{rule.name}`" in page
        assert rule.says in page
