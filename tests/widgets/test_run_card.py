"""The run card sends what changed, in the encoding that fits, and keeps a snapshot beside it."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, ClassVar

import pytest

pytest.importorskip("orion_nb_widgets.run_card", reason="the front end is not built (npm, node)")

import comm
from comm.base_comm import BaseComm

from orion_nb_widgets import RunCard, run_card
from orion_nb_widgets.frames import HEADER, encode_frame

RUN = {
    "id": "0" * 31 + "1",
    "short": "00000001",
    "name": "prices",
    "state": {"type": "RUNNING", "name": "Running", "message": None},
    "started": 1_000,
    "ended": None,
    "now": 2_000,
}
DONE = {**RUN, "state": {"type": "COMPLETED", "name": "Completed", "message": ""}, "ended": 3_000}


class Wire(BaseComm):
    """A comm whose other end is this list."""

    sent: ClassVar[list[tuple[dict[str, Any], list[bytes]]]] = []

    def publish_msg(self, msg_type: str, **rest: Any) -> None:
        if msg_type == "comm_msg":
            self.sent.append((rest["data"], rest["buffers"] or []))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[bytes]]]:
    monkeypatch.setattr(Wire, "sent", [])
    monkeypatch.setattr(comm, "create_comm", lambda *args, **kwargs: Wire(*args, **kwargs))
    return Wire.sent


def row(index: int, name: str = "Running", kind: str = "RUNNING", message: str = "") -> list[Any]:
    return [index, f"t{index}", kind, name, 1, 10, None, message]


def messages(wire: list[tuple[dict[str, Any], list[bytes]]]) -> list[dict[str, Any]]:
    return [data["content"] for data, _ in wire if data["method"] == "custom"]


def test_few_rows_travel_as_json(wire: Any) -> None:
    card = RunCard(RUN, "/orion/#/runs/1")
    card.push(1, [row(0), row(1)], RUN)
    (message,) = messages(wire)
    assert message["kind"] == "delta"
    assert message["seq"] == 1
    assert message["tasks"] == [row(0), row(1)]
    assert message["run"]["name"] == "prices"


def test_many_rows_travel_as_one_binary_frame(wire: Any) -> None:
    card = RunCard(RUN)
    card.push(1, [row(i) for i in range(100)])
    card.push(2, [row(i, "Completed", "COMPLETED") for i in range(99)] + [row(200)])
    (first, second) = messages(wire)
    assert first["kind"] == "frame"
    assert len(first["new"]) == 100
    assert second["new"] == [[200, "t200"]]
    assert second["states"] == [("COMPLETED", "Completed"), ("RUNNING", "Running")]
    frame = wire[-1][1][0] if wire[-1][1] else wire[-2][1][0]
    assert HEADER.unpack_from(frame)[4] == 2
    assert HEADER.unpack_from(frame)[6] == 100
    assert len(frame) == HEADER.size + 5 * 100
    assert frame[-2:] == bytes([0, 1])


def test_failed_rows_keep_their_words_in_a_frame(wire: Any) -> None:
    card = RunCard(RUN)
    card.push(1, [*(row(i) for i in range(99)), row(99, "Failed", "FAILED", "KeyError: 'x'")])
    assert messages(wire)[0]["rows"] == [row(99, "Failed", "FAILED", "KeyError: 'x'")]


def test_a_frame_has_the_bytes_the_browser_reads() -> None:
    # The same bytes are read by tests/js/card_store.test.mjs.
    assert encode_frame(7, 1000.0, [0, 2, 255], [0, 1, 0]).hex() == (
        "010100000000000007000000000000000000000000408f40030000000000000002000000ff000000000100"
    )
    assert struct.calcsize("<BBHIQdI") == HEADER.size == 28


def test_the_snapshot_holds_all_that_was_pushed(wire: Any) -> None:
    card = RunCard(RUN)
    card.push(1, [row(0), row(1)])
    card.settle(DONE, [row(1, "Completed", "COMPLETED"), row(0, "Failed", "FAILED", "no")])
    snapshot = json.loads(card.snapshot)
    assert snapshot["seq"] == 2
    assert snapshot["run"]["state"]["name"] == "Completed"
    assert snapshot["counts"] == {"Completed": 1, "Failed": 1}
    assert snapshot["total"] == 2
    assert snapshot["tasks"] == [
        row(1, "Completed", "COMPLETED"),
        row(0, "Failed", "FAILED", "no"),
    ]
    assert card.run["ended"] == 3_000


def test_a_snapshot_of_many_tasks_stays_small(wire: Any) -> None:
    card = RunCard(RUN)
    card.push(1, [row(i, "Completed", "COMPLETED") for i in range(10_000)])
    card.settle(DONE, [row(0, "Failed", "FAILED")])
    snapshot = json.loads(card.snapshot)
    assert len(snapshot["tasks"]) == run_card.ROWS_IN_SNAPSHOT
    assert snapshot["tasks"][-1] == row(0, "Failed", "FAILED")
    assert snapshot["counts"] == {"Completed": 9_999, "Failed": 1}
    cells = base64.b64decode(snapshot["cells"])
    assert len(cells) == 10_000
    assert snapshot["states"][cells[0]] == ["FAILED", "Failed"]
    assert len(card.snapshot) < 150_000


def test_snapshots_are_seldom_while_running(wire: Any) -> None:
    card = RunCard(RUN)
    for seq in range(1, 201):
        card.push(seq, [row(0)])
    updates = [data for data, _ in wire if data["method"] == "update"]
    assert 1 <= len(updates) <= 6
    assert len(messages(wire)) == 200


def test_a_view_that_missed_something_gets_a_snapshot_at_the_next_push(wire: Any) -> None:
    heard: list[bool] = []
    card = RunCard(RUN)
    card.on_resync = lambda: heard.append(True)
    card.push(1, [row(0)])
    card.push(2, [row(1)])
    card._handle_custom_msg({"kind": "resync"}, [])
    assert heard == [True]
    card.catch_up()
    assert json.loads(card.snapshot)["seq"] == 2


def test_hostile_text_is_cut_and_made_fit_for_json(wire: Any) -> None:
    card = RunCard({**RUN, "name": "a\ud800b"})
    card.push(1, [row(0, message="x\x00" + "é" * 5000 + "\udfff")])
    (message,) = messages(wire)
    assert len(message["tasks"][0][7]) == run_card.LONGEST_TEXT
    assert card.run["name"] == "a?b"
    json.dumps(message).encode()


def test_a_card_is_displayed_as_a_widget(wire: Any) -> None:
    card = RunCard(RUN)
    bundle = card._repr_mimebundle_()
    assert bundle is not None
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == card.model_id
    assert "export" in card._esm
