"""What the names of a failure's frames hold is kept where it is asked for, and nowhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import threading

import pytest

from orion_nb import connect, flow, replay, secrets, task, wait
from orion_nb.engine import snapshots
from orion_nb.engine.snapshots import MIME, TEXT
from orion_nb.errors import InvalidInput, ResultUnavailable, TamperedResult

RATE = {"usd": 1.5}


@task(frames=True)
def price(rows):
    lock = threading.Lock()
    total = 0
    for row in rows:
        rows[0]["seen"] = True
        total += row["price"] * RATE["usd"]
    with lock:
        return total


def wrong():
    return [{"price": 2.0}, {"cost": 3.0}]


def snapshot_of(name):
    orion = connect()
    run = orion.find(name)
    found = orion.read_artifacts(run.id)["artifacts"]
    return [orion.read_artifact(each["id"])["data"] for each in found if MIME in each["types"]]


def test_a_frame_holds_its_own_names_and_those_of_its_module_it_speaks_of(home):
    price.run(wrong())
    frame = replay("price").frames[-1]
    assert (frame.function, frame.file) == ("price", __file__)
    assert frame.source.splitlines()[frame.line - frame.first].strip().startswith("total +=")
    assert list(frame.locals) == ["rows", "lock", "total", "row", "RATE"]
    assert frame.locals["row"] == {"cost": 3.0}
    assert frame.locals["total"] == 3.0
    assert frame.locals["RATE"] == RATE
    assert frame.locals["rows"][0] == {"price": 2.0, "seen": True}  # as it was when it failed
    with pytest.raises(ResultUnavailable, match=r"lock was not kept .*pickle.*<unlocked _thread"):
        frame.locals["lock"]
    assert frame.locals.shown("total") == "3.0"
    assert sorted(frame.locals.kept()) == ["RATE", "row", "rows", "total"]
    text = snapshot_of("price")[0][TEXT]
    assert '> total += row["price"] * RATE["usd"]' in text
    assert text.endswith("KeyError: 'price'")


def test_nothing_is_kept_where_nobody_asked(home, monkeypatch):
    plain = price.with_options(frames=None, name="plain")
    plain.run(wrong())
    assert snapshot_of("plain") == []
    assert replay("plain").frames == []
    monkeypatch.setenv("ORION_NB_FRAMES", "1")
    home.joinpath("other").mkdir()
    monkeypatch.setenv("ORION_NB_HOME", str(home / "other"))
    plain.run(wrong())
    assert replay("plain").frames[-1].locals["total"] == 3.0
    price.with_options(frames=False, name="never").run(wrong())
    assert snapshot_of("never") == []
    price.run([{"price": 1.0}])
    assert snapshot_of("price") == []  # it completed
    with pytest.raises(InvalidInput, match="frames: 'yes' is not True, False or None"):
        task(frames="yes")(wrong)


def test_each_run_keeps_its_own_frames_and_leaves_the_inner_ones_to_the_inner_run(home):
    @flow(frames=True)
    def report(day):
        rows = wrong()
        return price(rows)

    report.run("monday")
    outer, inner = replay("report"), replay("price")
    assert [each.function for each in inner.frames] == ["price"]
    assert [each.function.rpartition(".")[2] for each in outer.frames] == ["report"]
    assert outer.frames[0].locals["day"] == "monday"


def test_each_attempt_keeps_its_own_and_the_last_one_is_shown(home):
    tries = []

    @task(retries=2, frames=True)
    def flaky():
        tries.append(1)
        number = len(tries)
        raise ValueError(f"attempt {number}")

    flaky.run()
    assert [each[MIME]["attempt"] for each in snapshot_of("flaky")] == [3, 2, 1]
    assert replay("flaky").frames[-1].locals["number"] == 3
    assert replay("flaky").error == "ValueError: attempt 3"


def test_async_tasks_submitted_ones_and_generators_keep_theirs(home):
    @task(frames=True)
    async def later(n):
        await asyncio.sleep(0)
        doubled = n * 2
        raise ValueError(doubled)

    @task(frames=True)
    def items():
        last = 1
        yield last
        last = 2
        raise ValueError(last)

    @flow
    def main():
        wait([price.submit(wrong())])
        list(items())

    main.run()
    asyncio.run(later.run(4))
    assert replay("later").frames[-1].locals["doubled"] == 8
    assert replay("price").frames[-1].locals["total"] == 3.0
    assert replay("items").frames[-1].locals["last"] == 2


class Odd:
    """Neither can be shown nor kept."""

    def __repr__(self):
        raise RuntimeError("no")

    def __reduce__(self):
        raise RuntimeError("never")


def test_values_that_resist_are_told_of_and_never_fail_a_run(home):
    @task(frames=True)
    def resists():
        odd = Odd()
        large = b"x" * (snapshots.VALUE + 1)
        text = "y" * 5000
        assert (odd, large, text) is None

    state = resists.run()
    assert state.message.startswith("AssertionError")
    names = replay("resists").frames[-1].locals
    assert names.shown("odd") == "<Odd: RuntimeError when it was to be shown>"
    with pytest.raises(ResultUnavailable, match=r"large was not kept \(larger than 256 KiB\)"):
        names["large"]
    assert len(names.shown("text")) == snapshots.SHOWN
    assert names["text"] == "y" * 5000  # the whole value, though less of it is shown


def test_however_deep_and_full_there_is_an_end(home):
    @task(frames=True)
    def sinks(depth):
        ballast = bytes([depth]) * 200_000
        if depth == 0:
            raise ValueError(len(ballast))
        sinks.fn(depth - 1)

    sinks.run(60)
    found = replay("sinks").frames
    assert len(found) == snapshots.MOST_FRAMES
    assert found[-1].locals["depth"] == 0
    assert found[-1].locals["ballast"] == bytes([0]) * 200_000  # the innermost has the first room
    with pytest.raises(ResultUnavailable, match="larger than 1 MiB"):
        found[0].locals["ballast"]
    assert "(41 outer frames are left out)" in snapshot_of("sinks")[0][TEXT]


def test_no_secret_is_kept_with_the_names(home):
    secrets.keep("DB", "hunter2hunter2")

    @task(frames=True)
    def opens():
        password = secrets.secret("DB")
        url = f"db://me:{password}@host"
        wide = {"in": [url.upper(), url], 1: {2}}  # kept as a pickle
        harmless = "text"
        raise ConnectionError(url, wide, harmless)

    opens.run()
    names = replay("opens").frames[-1].locals
    assert names["harmless"] == "text"
    for name, why in (("password", "it is a secret"), ("url", "it holds a secret")):
        with pytest.raises(ResultUnavailable, match=why):
            names[name]
    with pytest.raises(ResultUnavailable, match="it holds a secret"):
        names["wide"]
    files = [each for each in home.rglob("*") if each.is_file()]
    assert {each.name for each in files if b"hunter2" in each.read_bytes()} == {"DB"}


def test_a_value_that_was_tampered_with_is_refused_before_it_is_decoded(home):
    @task(frames=True)
    def holds():
        pickled = {1: {2}}
        raise ValueError(pickled)

    holds.run()
    orion = connect()
    kept = snapshot_of("holds")[0][MIME]["values"][0]
    assert orion.keeper.opened(kept) == {1: {2}}
    sealed = bytearray(base64.b64decode(kept["sealed"]))
    sealed[-1] ^= 1
    for wrong_one in ({"sealed": base64.b64encode(sealed).decode()}, {"sealed": "x"}, {}):
        with pytest.raises(TamperedResult):
            orion.keeper.opened(json.loads(json.dumps(wrong_one)))
