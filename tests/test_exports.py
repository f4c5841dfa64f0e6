"""What `import orion_nb` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import orion_nb

SOURCE = Path(orion_nb.__file__)
HEAVY = (
    "asyncio pydantic sqlalchemy nbclient nbformat jupyter_server anywidget alembic IPython "
    "ipykernel jupyter_client tornado typer rich"
).split()


def test_the_list_of_names_is_sorted_and_whole() -> None:
    assert orion_nb.__all__ == sorted(set(orion_nb.__all__))
    bound = {name for name, value in vars(orion_nb).items() if is_ours(name, value)}
    hooks = {"load_ipython_extension", "unload_ipython_extension"}
    assert bound - hooks <= set(orion_nb.__all__)


def is_ours(name: str, value: object) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", "").startswith("orion_nb")


@pytest.mark.parametrize("name", orion_nb.__all__)
def test_each_name_is_there_with_a_sentence_about_it(name: str) -> None:
    found = getattr(orion_nb, name)
    assert callable(found)
    assert (found.__doc__ or "").strip()
    assert found.__module__.startswith("orion_nb.")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'orion_nb' has no attribute 'nothing'"):
        _ = orion_nb.nothing


def test_importing_it_is_light() -> None:
    code = f"""
import sys, threading
import orion_nb
found = [name for name in {HEAVY!r} if name in sys.modules]
print(found, threading.active_count())
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=SOURCE.parents[1],
        timeout=60,
    ).stdout
    assert printed.strip() == "[] 1"
