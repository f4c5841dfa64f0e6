from __future__ import annotations

import inspect
import json
import math
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orion_nb.api.orion import ROUTES, Orion
from orion_nb.api.wire import DEPTH, arguments, read_arguments, read_query, render
from orion_nb.clock import micros, utc
from orion_nb.errors import BadRequest, InvalidInput, OrionError
from orion_nb.schemas.states import RUNNING
from orion_nb.settings import Settings

BY_NAME = {route.name: route for route in ROUTES}
RUN = {"run_id": "x"}


def read(name, body=None, query="", path=None):
    told = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_arguments(BY_NAME[name], path or {}, query, told)


def refused(name, body=None, query="", path=None):
    with pytest.raises(InvalidInput) as caught:
        read(name, body, query, path)
    return caught.value


def test_values_become_the_arguments_of_the_method():
    given = read("propose", {"type": "RUNNING", "attempt": 1}, "explain=true", RUN)
    assert given == {"run_id": "x", "type": RUNNING, "attempt": 1, "explain": True}
    assert given["type"] is RUNNING


def test_what_is_not_given_is_left_to_the_method():
    assert read("filter_runs") == {}
    assert read("filter_runs", {"kind": None}) == {"kind": None}


@pytest.mark.parametrize(
    ("name", "body", "field", "message"),
    [
        ("create_run", {"name": "a"}, "kind", "kind: missing in the body"),
        ("create_run", {"kind": "flo", "name": "a"}, "kind", "got 'flo'"),
        ("create_run", {"kind": "flow", "name": 1}, "name", "name: input should be a valid string"),
        ("create_run", {"kind": "flow", "nam": "a"}, "nam", "did you mean 'name'?"),
        ("create_run", {"kind": "flow", "name": "a", "tags": ["a", 1]}, "tags.1", "got 1"),
        ("create_run", {"kind": "flow", "name": "a", "tags": "ab"}, "tags", "got 'ab'"),
        ("create_run", {"kind": "flow", "name": "a", "parameters": []}, "parameters", "got []"),
        ("filter_runs", {"limit": "5"}, "limit", "limit: input should be a valid integer, got '5'"),
        ("filter_runs", {"limit": True}, "limit", "got True"),
        ("filter_runs", {"limit": 5.0}, "limit", "got 5.0"),
        ("filter_runs", {"limit": None}, "limit", "got None"),
        ("filter_runs", {"limit": 2**70}, "limit", "less than"),
        ("filter_runs", {"top_level": 1}, "top_level", "got 1"),
        ("filter_runs", {"since": "2030-01-01"}, "since", "with an offset, got '2030-01-01'"),
        ("filter_runs", {"since": "2030-01-01T00:00"}, "since", "with an offset"),
        ("filter_runs", {"since": "soon"}, "since", "ISO 8601"),
        ("filter_runs", {"since": 1.5}, "since", "got 1.5"),
        ("filter_runs", {"since": True}, "since", "got True"),
        ("filter_runs", {"since": -1}, "since", "got -1"),
        ("filter_runs", {"since": 10**18}, "since", "microseconds"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(name, body, field, message):
    error = refused(name, body)
    assert error.status == 422
    assert error.field == field
    assert message in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not JSON"),
        (b"a=b", "not JSON"),
        (b"[]", "expected a JSON object, got []"),
        (b"null", "expected a JSON object"),
        (b'"a"', "expected a JSON object"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"a": 1e999}', "1e999 is no number of JSON"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": "\\ud800"}', "surrogates"),
        (b"\xff{}", "decode"),
        (b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}", f"deeper than {DEPTH} levels"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
    ],
)
def test_what_is_not_json_is_a_bad_request(body, message):
    with pytest.raises(BadRequest) as caught:
        read("filter_runs", body)
    assert caught.value.status == 400
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("explain=perhaps", "got 'perhaps'"),
        ("explain=", "got ''"),
        ("explian=true", "did you mean 'explain'?"),
        ("explain=1&explain=1", "given twice"),
        ("type=RUNNING", "not known in the query"),
        ("explain=%ff", "can't be read"),
        ("&".join(f"{n}x=1" for n in range(200)), "can't be read"),
    ],
)
def test_a_wrong_query_is_refused(query, message):
    assert message in str(refused("propose", {"type": "RUNNING"}, query, RUN))


def test_a_query_may_carry_what_jupyter_adds():
    assert read_query("token=a&_xsrf=b&no_track_activity=1&1700000000000&a=1") == {"a": "1"}


def test_a_body_is_refused_where_none_is_taken():
    assert "not known in the body (there is none)" in str(refused("health", {"a": 1}))


def test_moments_are_read_from_iso_8601():
    at = 1_893_456_000_000_000
    for told in (at, str(at), "2030-01-01T00:00:00Z", "2030-01-01T01:00+01:00"):
        assert read("filter_runs", {"since": told}) == {"since": at}


@given(st.datetimes(timezones=st.timezones()))
def test_any_iso_8601_moment_since_1970_is_exact(moment):
    if moment.year in range(1971, 9999):
        assert read("filter_runs", {"since": moment.isoformat()}) == {"since": micros(moment)}
        assert utc(micros(moment)) == moment.astimezone(UTC)


def test_no_error_is_longer_than_a_few_lines():
    error = refused("create_run", {"kind": "x" * 100_000, "name": "a"})
    assert len(str(error)) < 300
    error = refused("create_run", {"x" * 100_000: 1})
    assert len(str(error)) < 300
    assert len(error.field) <= 100


def test_results_are_json_whatever_they_hold():
    told = render({"a": [math.nan, {"b": math.inf}], "c": "\ud800", "d": 1.5})
    refuse = pytest.fail
    assert json.loads(told, parse_constant=refuse) == {
        "a": ["nan", {"b": "inf"}],
        "c": "\ud800",
        "d": 1.5,
    }


def test_every_route_has_its_parameters_in_one_place_each():
    for route in ROUTES:
        found = [name for place in arguments(route).values() for name in place]
        assert found == list(dict.fromkeys(found))
        assert set(found) == set(inspect.signature(route.function).parameters) - {"self"}


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
        st.sampled_from([
            "", "flow", "task", "RUNNING", "SCHEDULED", "Late", "all_finished", "15m", "* * * * *",
            "0 9 * * 1-5", "2030-01-01T00:00Z", "' OR 1=1 --", "%", "\0", "\ud800", "../../x",
            "one", "0" * 32, 2**63, -1, 0, 1, 10**18, {"kind": "cron", "cron": "* * * * *"},
            {"kind": "interval", "every": 0}, {"retries": 3}, {"retry_delay": ["1s", -1]},
        ]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@st.composite
def requests(draw):
    """A request to one of the routes: its own names, and values that may be anything."""
    route = draw(st.sampled_from(ROUTES))
    taken = arguments(route)
    path = {name: draw(st.text(min_size=1) | st.just("one")) for name in taken["path"]}
    some = st.lists(st.sampled_from(sorted(taken["body"]) or ["x"]), max_size=4, unique=True)
    required = [each.name for each in taken["body"].values() if each.required]
    body = {name: draw(VALUES) for name in [*required, *draw(some)]} if taken["body"] else None
    for name, fits in (
        ("kind", "task"),
        ("name", "one"),
        ("type", "RUNNING"),
        ("path", "nb.ipynb"),
    ):
        if body and name in body and draw(st.booleans()):
            body[name] = fits
    return route, path, b"" if body is None else json.dumps(body).encode()


@pytest.fixture(scope="module")
def orion(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    opened = Orion(Settings.load(environ={}, home=str(home)))
    cells = [{"cell_type": "code", "source": "x = 1", "metadata": {"tags": ["parameters"]}}]
    (home / "nb.ipynb").write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": cells}))
    opened.create_run("task", "one")
    yield opened
    opened.close()


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(request=requests())
def test_whatever_is_sent_is_answered_or_refused(orion, monkeypatch, request):
    monkeypatch.chdir(orion.settings.home)
    route, path, body = request
    try:
        answer = route.function(orion, **read_arguments(route, path, "", body))
    except OrionError as error:
        answer = error
    told = json.loads(render(answer), parse_constant=pytest.fail)
    if isinstance(answer, OrionError):
        assert 400 <= answer.status < 500
        assert told["message"]
