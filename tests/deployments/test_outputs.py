from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orion_nb.deployments.outputs import Streams


def settled(streams, outputs):
    streams.settle()
    return [(output["name"], output["text"]) for output in outputs]


def test_what_a_stream_prints_is_one_output_until_something_comes_between():
    streams, outputs = Streams(), []
    streams.add(outputs, "stdout", "a")
    streams.add(outputs, "stdout", "b")
    streams.add(outputs, "stderr", "!")
    outputs.append({"output_type": "display_data", "name": None, "text": "a picture"})
    streams.add(outputs, "stderr", "?")

    said = [("stdout", "ab"), ("stderr", "!"), (None, "a picture"), ("stderr", "?")]
    assert settled(streams, outputs) == said


def test_in_a_flood_each_stream_keeps_its_tail():
    streams, outputs = Streams(head=4, tail=3), []
    for text in ("abcdef", "gh", "ijk"):
        streams.add(outputs, "stdout", text)
    streams.add(outputs, "stderr", "123456789")
    streams.add(outputs, "stdout", "!")

    gap = "\n… {} characters are not kept …\n"
    out, err = settled(streams, outputs)
    assert out == ("stdout", "abcd" + gap.format(5) + "jk!")
    assert err == ("stderr", gap.format(6) + "789")


def test_cleared_outputs_leave_room_again():
    streams, outputs = Streams(head=4, tail=2), []
    streams.add(outputs, "stdout", "abcdefghi")
    outputs.clear()
    streams.clear()
    streams.add(outputs, "stdout", "new")

    assert settled(streams, outputs) == [("stdout", "new")]


@given(st.lists(st.text("ab\n", max_size=12)), st.integers(0, 20), st.integers(1, 20))
def test_nothing_but_the_middle_is_dropped(texts, head, tail):
    streams, outputs = Streams(head=head, tail=tail), []
    for text in texts:
        streams.add(outputs, "stdout", text)
        streams.settle()

    whole = "".join(texts)
    kept = "".join(output["text"] for output in outputs)
    if len(whole) <= head + tail:
        assert kept == whole
    else:
        dropped = len(whole) - head - tail
        gap = f"\n… {dropped:,} characters are not kept …\n"
        assert kept == whole[:head] + gap + whole[-tail:]
