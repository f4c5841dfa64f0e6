"""A flow's parameters and options are read from its file, of which nothing is run."""

from __future__ import annotations

import pytest

from orion_nb.errors import FlowNotFound, InvalidNotebook, ParameterError, UnknownParameter
from orion_nb.schemas.signatures import read_flow

FILE = '''
import orion_nb
from enum import Enum
from elsewhere import bought
open("trace", "w")

class Color(Enum):
    RED = "red"

@orion_nb.flow(retries=2, retry_delay="10s", timeout=timeout(), tags=("bi",), name="x")
def etl(day: date, limit: int = 100, *, color: Color = Color.RED):
    """Not run."""

if True:
    @flow
    async def other(**options): ...

made = flow(lambda: 1)

@decorated
def wrapped(): ...

def plain(): ...
'''


def test_what_the_flow_takes_and_what_its_decorator_says():
    told = read_flow(FILE, "etl", "etl.py")
    assert str(told.parameters) == "day: date, limit: int = 100, color: Color = Color.RED"
    assert told.options == {"retries": 2, "retry_delay": "10s", "tags": ["bi"]}
    given = told.parameters.validate({"day": "2024-02-29", "color": "RED"})
    assert given["day"].isoformat() == "2024-02-29"
    with pytest.raises(ParameterError, match="day: Input should be a valid date, got '2024-02-30'"):
        told.parameters.validate({"day": "2024-02-30"})
    with pytest.raises(
        UnknownParameter, match=r"'dya' is unknown; .* \(flow takes: day: date, limit: int = 100"
    ):
        told.parameters.validate({"dya": "2024-02-30"})


@pytest.mark.parametrize(
    ("arguments", "helps"),
    [
        ("day, parts=2):  # how many files", ["", "how many files"]),
        ("day,  # of the files\n  parts=2,  # how many\n):  # more", ["of the files", "how many"]),
        ("day, /, parts=2, *, size=f(\n)):  # in MB", ["", "", "in MB"]),
        ("*rest, day, parts=[  # begins\n]):", ["", ""]),
        ("day, *rest):  # whatever else", [""]),
    ],
)
def test_a_comment_is_of_the_last_parameter_of_its_line(arguments, helps):
    told = read_flow(f"@flow\ndef etl({arguments}\n    pass", "etl", "etl.py")
    assert [each.help for each in told.parameters.fields] == helps


@pytest.mark.parametrize("name", ["other", "made", "wrapped", "bought"])
def test_what_can_not_be_known_takes_anything_for_now(name):
    assert read_flow(FILE, name, "etl.py").parameters.validate({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("elt", "no flow 'elt' in etl.py (did you mean 'etl'?)"),
        ("plain", "no flow 'plain' in etl.py; there are: etl, other"),
        ("", "etl.py: name the flow, as in `etl.py:NAME`; there are: etl, other"),
    ],
)
def test_a_flow_that_there_is_not_is_told_with_those_there_are(name, says):
    with pytest.raises(FlowNotFound) as caught:
        read_flow(FILE, name, "etl.py")
    assert str(caught.value) == says


def test_the_only_flow_need_not_be_named():
    assert read_flow("@flow\ndef one(): ...", "", "etl.py").name == "one"


def test_a_file_that_is_not_python_is_refused():
    with pytest.raises(InvalidNotebook, match=r"etl.py, line 1"):
        read_flow("def one(:", "one", "etl.py")
