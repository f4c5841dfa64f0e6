"""Reports as rows: what was answered is what is read, and what is alike is kept once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.rules import SAYS
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.states import Failed, Pending, Running
from orion_nb.store import reports
from orion_nb.store.database import Database
from orion_nb.store.reports import Reports

texts = st.text(st.characters(codec="utf-8"), max_size=10)
names = st.sampled_from(sorted(SAYS))
lines = names.flatmap(
    lambda name: st.builds(
        Line,
        st.just(name),
        st.just(SAYS[name]),
        st.sampled_from(["pass", "rewrite", "reject", "wait", "abort"]),
        st.none() | texts,
        st.dictionaries(texts, st.none() | st.integers() | texts, max_size=2),
    )
)
told = st.builds(
    Report,
    status=st.sampled_from(list(Status)),
    state=st.just(Pending()),
    reason=st.none() | texts.filter(bool),
    rules=st.lists(lines, max_size=4).map(tuple),
    proposed=st.none() | texts,
) | st.builds(
    Report,
    status=st.just(Status.WAIT),
    state=st.just(Pending()),
    reason=texts.filter(bool),
    until=st.integers(1, 2**60),
    retry_after=st.floats(0, 1e9),
)


@given(told)
def test_a_report_is_read_as_it_was_written(report):
    assert reports.load(reports.dump(report), Pending()) == report


def test_the_state_is_that_beside_which_it_is_kept():
    body = reports.dump(Report(Status.ACCEPT, Running()))
    assert reports.load(body, Failed("x")).state == Failed("x")


def test_a_rule_that_is_not_known_here_says_what_it_said_when_it_was_asked():
    line = Line("of_somebody", "Was.", "pass", "so", {"n": 1})
    body = reports.dump(Report(Status.ACCEPT, Running(), rules=(line,)))
    assert reports.load(body, Running()).rules == (line,)


def test_a_rule_that_is_no_more_says_its_name():
    body = reports.dump(Report(Status.ACCEPT, Running(), rules=(Line("gone", "", "pass"),)))
    body = body.replace(',""]', "]")
    assert reports.load(body, Running()).rules == (Line("gone", "gone", "pass"),)


def test_a_rule_there_is_says_what_its_docstring_says_today():
    line = Line("retry_failures", "What it said last year.", "pass")
    body = reports.dump(Report(Status.ACCEPT, Running(), rules=(line,)))
    assert "last year" not in body
    assert reports.load(body, Running()).rules[0].says == SAYS["retry_failures"]


def test_what_json_does_not_know_is_kept_as_text():
    line = Line("retry_failures", "", "pass", None, {"at": {1, 2}})
    kept = reports.load(reports.dump(Report(Status.ACCEPT, Running(), rules=(line,))), Running())
    assert kept.rules[0].facts == {"at": "{1, 2}"}


def test_half_of_a_character_pair_does_not_hurt():
    body = reports.dump(Report(Status.ABORT, Running(), reason="caf\udce9"))
    assert body.encode()
    assert reports.load(body, Running()).reason == "caf?"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    opened = Database(tmp_path_factory.mktemp("reports") / "orion.db")
    yield opened
    opened.close()


@given(st.lists(told, max_size=8))
def test_reports_have_the_same_number_if_they_say_the_same(database, given_reports):
    kept = Reports()
    digests = [database.write(lambda tx, r=r: kept.keep(tx, r)) for r in given_reports]
    bodies = [reports.dump(report) for report in given_reports]
    assert len(set(digests)) == len(set(bodies))
    with database.read() as connection:
        for digest, body in zip(digests, bodies, strict=True):
            row = connection.execute("SELECT body FROM reports WHERE digest=?", (digest,))
            assert row.fetchone() == (body,)
