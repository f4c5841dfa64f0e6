"""A reference is a line of JSON that says where a value is, or why it is nowhere."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import InvalidInput, ResultUnavailable
from orion_nb.schemas.results import PREVIEW, Reference

KEY = "ab" * 32
REFERENCES = [
    Reference(inline="null"),
    Reference(inline='{"a":[1,2.5,"é"]}', schema='{"type":"object"}'),
    Reference(key=KEY, serializer="json", size=5000, url="file:///r", schema='{"type":"array"}'),
    Reference(key=KEY, serializer="npy", size=12, url="file:///results", note="array é"),
    Reference(key=KEY, serializer="pickle", size=1, url="s3://b", spooled=True, problem="away"),
    Reference(note="<lock>", problem="value.lock: cannot pickle '_thread.lock' object"),
]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: one.status)
def test_it_comes_back_from_its_text(reference):
    text = reference.to_text()
    assert json.loads(text)
    assert "\n" not in text
    assert Reference.from_text(text) == reference


def test_its_status_tells_where_the_value_was_when_it_was_written():
    assert [one.status for one in REFERENCES] == (
        ["inline", "inline", "stored", "stored", "spooled", "unpersisted"]
    )
    assert [one.is_kept for one in REFERENCES] == [True, True, True, True, True, False]


def test_an_unpersisted_one_says_so_and_why():
    assert str(REFERENCES[-1]).startswith("unpersisted: value.lock: cannot pickle")


def test_an_inline_value_is_made_anew_each_time():
    reference = Reference(inline='{"a":[1]}')
    reference.value["a"].append(2)
    assert reference.value == {"a": [1]}


def test_a_stored_value_is_not_in_the_reference():
    with pytest.raises(ResultUnavailable, match="stored elsewhere"):
        _ = REFERENCES[2].value
    with pytest.raises(ResultUnavailable, match=r"value\.lock"):
        _ = REFERENCES[-1].value


def test_what_people_are_told_has_a_short_preview():
    told = Reference(inline=json.dumps("x" * 3000)).as_json()
    assert len(told["preview"]) == PREVIEW
    assert told["size"] == 3002
    assert told["value"] == "x" * 3000
    assert REFERENCES[-1].as_json() == {
        "status": "unpersisted",
        "preview": "<lock>",
        "size": 0,
        "problem": "value.lock: cannot pickle '_thread.lock' object",
        "schema": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "", "none", "[]", "7", '"text"', "{", "[" * 10_000,
        '{"key":"../../etc/passwd"}', f'{{"key":"{KEY.upper()}"}}', '{"key":7}',
        '{"size":"1"}', '{"size":true}', '{"spooled":1}', '{"other":1}', '{"url":null}',
    ],
)  # fmt: skip
def test_no_reference_is_refused(text):
    with pytest.raises(InvalidInput, match="no reference"):
        Reference.from_text(text)


@given(st.text())
def test_any_text_is_a_reference_or_refused(text):
    with suppress(InvalidInput):
        Reference.from_text(text)
