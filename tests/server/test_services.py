from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import InvalidInput, NotebookNotFound, OrionError
from orion_nb_server.services import inside

PIECES = [
    "..",
    ".",
    "a",
    "secret",
    "/",
    "\\",
    "~",
    "nb.ipynb",
    "root",
    "root-secret",
    "\0",
    "\uff0e\uff0e",
    " ",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The root folder of a server, beside a folder whose name begins with the same letters."""
    folder = tmp_path_factory.mktemp("top")
    for name in ("root/a", "root/.hidden", "root-secret"):
        (folder / name).mkdir(parents=True)
    for name in (
        "root/nb.ipynb",
        "root/a/nb.ipynb",
        "root/.hidden/nb.ipynb",
        "root-secret/nb.ipynb",
    ):
        (folder / name).write_text("{}")
    (folder / "root" / "out").symlink_to(folder / "root-secret")
    (folder / "root" / "in").symlink_to(folder / "root" / "a")
    return folder / "root"


@pytest.mark.parametrize(
    "told", ["nb.ipynb", "a/nb.ipynb", "./a//nb.ipynb", "in/nb.ipynb", "", "."]
)
def test_a_path_is_resolved_from_the_root(root, told):
    assert inside(str(root), "path", told) == root / told


def test_an_absolute_path_inside_of_the_root_is_taken(root):
    assert inside(str(root), "path", str(root / "a" / "nb.ipynb")) == root / "a" / "nb.ipynb"


def test_the_root_may_be_a_link(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert inside(str(link), "path", "nb.ipynb") == link / "nb.ipynb"


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ("/etc/passwd", InvalidInput),
        ("{root}-secret/nb.ipynb", InvalidInput),
        ("../root-secret/nb.ipynb", InvalidInput),
        ("a/../../root-secret/nb.ipynb", InvalidInput),
        ("{root}/../root-secret/nb.ipynb", InvalidInput),
        ("a\0b", InvalidInput),
        ("out/nb.ipynb", NotebookNotFound),
        ("out", NotebookNotFound),
        (".hidden/nb.ipynb", NotebookNotFound),
    ],
)
def test_a_path_out_of_the_root_is_refused(root, told, error):
    with pytest.raises(error) as caught:
        inside(str(root), "path", told.replace("{root}", str(root)))
    assert caught.value.status in (404, 422)


def test_hidden_files_are_taken_where_the_server_allows_them(root):
    told = ".hidden/nb.ipynb"
    assert inside(str(root), "path", told, allow_hidden=True) == root / told


@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6))
def test_no_path_leads_out_of_the_root(root, pieces):
    try:
        found = inside(str(root), "path", "".join(pieces), allow_hidden=True)
    except OrionError:
        return
    assert Path(os.path.realpath(found)).is_relative_to(os.path.realpath(root))


def test_the_root_of_the_disk_is_a_root_too():
    assert inside("/", "path", "/etc/hosts") == Path("/etc/hosts")
    assert inside("/", "path", "etc/hosts") == Path("/etc/hosts")


def test_a_deployment_is_of_a_notebook_under_the_root(server, notebook):
    path = notebook(server.root / "reports" / "day.ipynb", "n", parameters="n = 1")
    told = {"name": "day", "path": "reports/day.ipynb", "cwd": "reports", "parameters": {"n": 2}}
    answer = server.call("POST", "/deployments", told)
    assert answer.status == 201, answer.json
    assert answer.json["path"] == str(path)
    assert answer.json["cwd"] == str(path.parent)
    assert server.call("PATCH", "/deployments/day", {"cwd": "."}).json["cwd"] == str(server.root)


def test_a_flow_under_the_root_is_inspected_and_deployed(server, tmp_path):
    text = "raise SystemError\n@flow(retries=2)\ndef load(day: date, n: int = 3): ..."
    (server.root / "etl.py").write_text(text, "utf-8")
    told = server.call("POST", "/notebooks/inspect", {"path": "etl.py:load"}).json
    assert (told["flow"], told["options"]) == ("load", {"retries": 2})
    wrong = {"name": "etl", "path": "etl.py:load", "parameters": {"day": "2024-02-30"}}
    answer = server.call("POST", "/deployments", wrong)
    assert (answer.status, answer.json["error"], answer.json["field"]) == (
        422, "ParameterError", "day",
    )  # fmt: skip
    answer = server.call("POST", "/deployments", {**wrong, "parameters": {"day": "2024-02-29"}})
    assert (answer.status, answer.json["retries"]) == (201, 2)
    assert answer.json["path"] == str(server.root / "etl.py")
    assert server.call("PATCH", "/deployments/etl", {"retries": None}).json["retries"] == 0
    outside = tmp_path / "outside.py"
    outside.write_text(text, "utf-8")
    (server.root / "link.py").symlink_to(outside)
    for path in ("link.py:load", "../outside.py:load", f"{outside}:load"):
        assert server.call("POST", "/notebooks/inspect", {"path": path}).status in (404, 422)


@pytest.mark.parametrize("field", ["path", "cwd"])
@pytest.mark.parametrize(
    ("value", "status"),
    [("/etc/passwd", 422), ("../x.ipynb", 422), ("~/x.ipynb", 404), ("none.ipynb", 404),
     (".ssh/x.ipynb", 404)],
)  # fmt: skip
def test_a_path_out_of_the_root_is_refused_over_http(server, notebook, field, value, status):
    notebook(server.root / "one.ipynb")
    answer = server.call("POST", "/deployments", {"name": "a", "path": "one.ipynb", field: value})
    expected = 422 if field == "cwd" and not value.startswith(".ssh") else status
    assert (answer.status, set(answer.json)) == (expected, {"error", "message", "field"})
    assert server.call("GET", "/deployments/a").status == 404
