"""The words of a filter: what each means, that all can be written, and what is said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.clock import SECOND, iso, micros
from orion_nb.errors import InvalidInput
from orion_nb.schemas.filter_values import ASPECTS, DAY, KEYS, STATES, choices
from orion_nb.schemas.filters import completions, parse_filter, show_filter

NOON = micros(datetime(2026, 11, 22, 12, tzinfo=UTC))
TODAY = NOON - 12 * 3600 * SECOND


def read(text):
    return parse_filter(text, NOON)


def only(text):
    (term,) = read(text)
    return term


def told(text):
    return [(term.negated, term.key, [value.text for value in term.values]) for term in read(text)]


def test_words_keys_quotes_commas_and_minus():
    assert told('load state:failed,cached -tag:"a b",c* "two words" -"-x" - a-b') == [
        (False, "text", ["load"]),
        (False, "state", ["failed", "cached"]),
        (True, "tag", ["a b", "c*"]),
        (False, "text", ["two words"]),
        (True, "text", ["-x"]),
        (False, "text", ["-"]),
        (False, "text", ["a-b"]),
    ]
    assert told("") == told("  \t ") == []
    assert told(r'name:"say \"hi\" \\ x"') == [(False, "name", [r'say "hi" \ x'])]


def test_stars_stand_for_any_text_unless_they_are_quoted():
    assert [value.wild for value in only('flow:a*,b,"c*"').values] == [True, False, False]


@pytest.mark.parametrize(
    ("word", "states"),
    [
        ("failed", ("FAILED",)), ("FAILED", ("FAILED",)), ("fail", ("FAILED",)),
        ("Late", ("Late",)), ("timedout", ("TimedOut",)), ("timed", ("TimedOut",)),
        ("c", ("CANCELLING", "COMPLETED", "CRASHED", "CANCELLED")),
        ("running", ("RUNNING",)), ("awaiting", ("AwaitingRetry", "AwaitingSlot")),
    ],
)  # fmt: skip
def test_a_state_is_called_by_type_name_or_their_beginning(word, states):
    assert only(f"state:{word}").values[0].states == states


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("since:24h", NOON - DAY, None),
        ("since:today", TODAY, None),
        ("since:2026-11-20", TODAY - 2 * DAY, None),
        ("until:1h", None, NOON - DAY // 24),
        ("until:yesterday", None, TODAY),
        ("created:2026-11-20", TODAY - 2 * DAY, TODAY - DAY),
        ("created>2026-11-20", TODAY - DAY, None),
        ("created:>=2026-11-20", TODAY - 2 * DAY, None),
        ("created<2026-11-20", None, TODAY - 2 * DAY),
        ("created<=2026-11-20", None, TODAY - DAY),
        ("start>2026-11-22T12:00", NOON + 60 * SECOND, None),
        ("end:2026-11-22T13:00:01+01:00", NOON + SECOND, NOON + 2 * SECOND),
        ("end<2026-11-22T12:00:00.000001Z", None, NOON + 1),
        (f"scheduled>={NOON}", NOON, None),
        ("dur>5m", 300 * SECOND + 1, None),
        ("dur<=1.5h", None, 5400 * SECOND + 1),
        ("took<2s", None, 2 * SECOND),
        ("attempt>1", 2, None),
        ("attempt=3", 3, 4),
    ],
)
def test_what_is_compared_has_bounds(text, low, high):
    value = only(text).values[0]
    assert (value.low, value.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "word", "at", "says"),
    [
        ("x stat:failed", "stat:failed", 3, "'stat' is no key; did you mean 'state'? there are"),
        ("a http://x", "http://x", 3, "put it in quotes"),
        ("state:fialed", "state:fialed", 1, "'fialed' is no state; did you mean 'failed'?"),
        ("state:", "state:", 1, "lacks a value: one of awaitingretry"),
        ("tag:a,,b", "tag:a,,b", 1, "lacks a value"),
        ("is:lat", "is:lat", 1, "'lat' is none of late, finished"),
        ("kind:x", "kind:x", 1, "'x' is none of flow, task"),
        ("state>failed", "state>failed", 1, "state takes no >; there is state:"),
        ("dur>5x", "dur>5x", 1, "'5x' is not a duration (try 10s, 5m, 1h30m)"),
        ("dur>1m,2m", "dur>1m,2m", 1, "dur> takes one value"),
        ("since:24", "since:24", 1, "'24' is no time; try 24h, today"),
        ("created>24h", "created>24h", 1, "for durations there is since:"),
        ("created>2026-02-30", "created>2026-02-30", 1, "is no time"),
        ("id:xyz", "id:xyz", 1, "4 to 32 hexadecimal digits"),
        ("attempt>x", "attempt>x", 1, "'x' is no number"),
        ('param:"=1"', "param:", 1, "it names no parameter"),
        ('a "b', '"b', 3, "the quote is not closed"),
        ("a\0b", "a\\x00b", 1, "control character"),
        ("tag:" + "x" * 300, "", 1, "at most 255 characters"),
        ("x" * 2001, None, None, "at most 2000 characters"),
        ("x " * 51, None, None, "at most 50 conditions"),
    ],
)
def test_an_error_names_the_word_its_place_and_what_is_possible(text, word, at, says):
    with pytest.raises(InvalidInput) as raised:
        read(text)
    message = str(raised.value)
    assert raised.value.field == "q"
    assert says in message
    if word is not None:
        assert word in message
        assert f"(character {at})" in message


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NAMED = st.sampled_from("flow task name deployment tag mark key text".split())
COMPARED = st.tuples(
    st.sampled_from("created scheduled start end".split()),
    st.sampled_from(KEYS["created"].ops),
    st.integers(NOON, 4 * NOON).map(iso),
)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(st.booleans(), NAMED, st.lists(TEXTS, min_size=1, max_size=3))))
def test_any_text_can_be_asked_for_in_quotes(asked):
    words, wanted = [], []
    for negated, key, values in asked:
        values = values[:1] if key == "text" else values
        start = ("-" if negated else "") + ("" if key == "text" else f"{key}:")
        words.append(start + ",".join(map(quoted, values)))
        wanted.append((negated, key, values))
    assert told("  ".join(words)) == wanted
    terms = read(" ".join(words))
    assert read(show_filter(terms)) == terms


@given(st.lists(COMPARED, max_size=5))
def test_what_is_shown_is_read_as_the_same(asked):
    terms = read(" ".join(f"{key}{op}{value}" for key, op, value in asked))
    assert read(show_filter(terms)) == terms


@given(st.text(max_size=60))
def test_anything_typed_is_read_or_refused_with_its_place(text):
    try:
        terms = read(text)
    except InvalidInput as error:
        said = str(error)
    else:
        said = "" if read(show_filter(terms)) == terms else "it is read as another one"
    assert said == "" or "(character " in said


@given(st.text(st.sampled_from('state:failed-",*><= is:latdur1m'), max_size=25))
def test_anything_like_a_filter_is_read_or_refused_with_its_place(text):
    test_anything_typed_is_read_or_refused_with_its_place.hypothesis.inner_test(text)


def test_tab_completes_keys_and_values():
    assert [each for each, _ in completions("sta")] == ["state:", "start>"]
    assert [each for each, _ in completions("tag:x -state:failed,canc")] == [
        "tag:x -state:failed,cancelling",
        "tag:x -state:failed,cancelled",
    ]
    assert [each for each, _ in completions("is:")] == [f"is:{each}" for each in ASPECTS]
    assert completions("tag:") == completions("nothing:") == []
    assert {word.lower() for word in STATES} == set(choices(KEYS["state"]))
