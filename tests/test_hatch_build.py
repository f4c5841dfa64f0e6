"""The front end is built when it has to be, and node is asked for when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from hatch_build import BUILT, NODE_PACKAGE, SOURCES, FrontEnd, Node, is_current, steps


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose built files are newer than their sources."""
    for age, names in ((100, [*SOURCES[:-1], "widgets/src/index.tsx"]), (50, BUILT)):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (10_000 - age, 10_000 - age))
    return tmp_path


def hook(root: Path) -> FrontEnd:
    builder = WheelBuilder(os.fspath(root))
    return FrontEnd(os.fspath(root), {}, builder.config, builder.metadata, "", "wheel", builder.app)


def test_built_files_newer_than_their_sources_are_left_alone(project: Path) -> None:
    assert is_current(project)


def test_files_unpacked_with_one_and_the_same_time_are_current(project: Path) -> None:
    for path in project.rglob("*"):
        os.utime(path, (10_000, 10_000))
    assert is_current(project)


@pytest.mark.parametrize("name", ["widgets/package.json", "widgets/src/index.tsx"])
def test_a_source_touched_since_has_to_be_built(project: Path, name: str) -> None:
    os.utime(project / name, (10_000, 10_000))
    assert not is_current(project)


@pytest.mark.parametrize("name", BUILT)
def test_a_missing_file_has_to_be_built(project: Path, name: str) -> None:
    (project / name).unlink()
    assert not is_current(project)


def test_node_is_a_build_dependency_only_where_there_is_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(project))
    assert hook(project).dependencies() == []
    (project / BUILT[0]).unlink()
    assert hook(project).dependencies() == [NODE_PACKAGE]


@pytest.mark.parametrize(("version", "wanted"), [("v12.22.0", [NODE_PACKAGE]), ("v20.1.0", [])])
def test_a_node_too_old_counts_as_none(
    project: Path, monkeypatch: pytest.MonkeyPatch, version: str, wanted: list[str]
) -> None:
    for name in ("node", "npm"):
        (project / name).write_text(f"#!/bin/sh\necho {version}\n")
        (project / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(project))
    (project / BUILT[0]).unlink()
    assert hook(project).dependencies() == wanted


def test_npm_installs_once_and_again_after_the_lock_file_changed(project: Path) -> None:
    widgets, node = project / "widgets", Node(Path("node"), ("npm",))
    assert [command[:2] for command in steps(widgets, node)] == [
        ["npm", "ci"],
        ["node", "build.mjs"],
    ]
    installed = widgets / "node_modules" / ".package-lock.json"
    installed.parent.mkdir()
    installed.touch()
    assert steps(widgets, node) == [["node", "build.mjs"]]
    os.utime(installed, (1, 1))
    assert len(steps(widgets, node)) == 2


def test_a_failing_build_shows_the_command_and_what_it_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm"):
        (project / name).write_text(
            '#!/bin/sh\n[ "$1" = --version ] && echo v20.1.0 && exit\necho no registry; exit 7\n'
        )
        (project / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(project))
    (project / BUILT[0]).unlink()
    with pytest.raises(SystemExit, match=r"(?s)code 7.*npm ci.*no registry"):
        hook(project).initialize("standard", {})
