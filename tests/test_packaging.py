"""What `pip install orion-nb` brings, seen from a fresh environment that has the dependencies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"orion_nb", "orion_nb_server", "orion_nb_widgets"}
HEAVY = [
    "alembic",
    "anywidget",
    "jupyter_server",
    "nbclient",
    "nbformat",
    "pydantic",
    "sqlalchemy",
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this folder, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    hatchling(ROOT, "sdist", folder, os.environ["PATH"])
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        # Debian 12's Python is older than the filter, and needs none for an archive of our own.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safely)
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist where there is no node: the sdist has what was built."""
    folder = tmp_path_factory.mktemp("wheel")
    hatchling(sdist, "wheel", folder, os.fspath(folder))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment: the wheel, and what this one has installed."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = home / scripts / "python"
    run(sys.executable, "-m", "pip", "--python", python, *PIP_INSTALL, wheel)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Plain folders only: the .pth files in them, an editable install's for one, are not followed.
    folders = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    Path(site, "dependencies.pth").write_text("\n".join(folders) + "\n", encoding="utf-8")
    return python


PIP_INSTALL = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")


def hatchling(project: Path, target: str, folder: Path, path: str) -> None:
    environ = {**os.environ, "PATH": path}
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        target,
        "-d",
        folder,
        cwd=project,
        env=environ,
    )


def run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What the command prints, errors included; it has to end well."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_holds_three_typed_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.startswith("orion_nb-0.1.0.")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


def test_the_wheel_carries_the_built_front_end(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert sizes["orion_nb_widgets/static/orion-card.js"] > 0
    assert sizes["orion_nb_widgets/static/orion-card.css"] > 0
    assert sizes["orion_nb_server/static/orion-dashboard.js"] > 0
    assert sizes["orion_nb_server/static/orion-dashboard.css"] > 0
    shared = "orion_nb-0.1.0.data/data/share/jupyter/labextensions/orion-nb"
    assert sizes[f"{shared}/static/remoteEntry.js"] > 0
    assert sizes[f"{shared}/schemas/orion-nb/plugin.json"] > 0


def test_installing_alone_brings_the_extension_of_jupyterlab(
    python: Path, wheel: Path, tmp_path: Path
) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    command = (python, "-m", "jupyterlab.labextensions", "list")
    said = re.sub(r"\x1b\[\d+m", "", run(*command, cwd=tmp_path, env=environ))
    assert re.search(r"orion-nb v0\.1\.0 enabled OK", said)
    entry = python.parents[1] / "share/jupyter/labextensions/orion-nb/package.json"
    told = json.loads(entry.read_text())
    assert told["version"] == wheel.name.split("-")[1]
    assert (entry.parent / told["jupyterlab"]["_build"]["load"].partition("?")[0]).is_file()


def test_installing_alone_enables_the_server_extension(python: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    said = run(python, "-m", "jupyter_server", "extension", "list", cwd=tmp_path, env=environ)
    said = re.sub(r"\x1b\[\d+m", "", said)  # colours
    assert "orion_nb_server enabled" in said
    assert "orion_nb_server 0.1.0 OK" in said


def test_importing_the_library_loads_nothing_heavy(python: Path, tmp_path: Path) -> None:
    code = (
        f"import sys, json, orion_nb; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    assert json.loads(run(python, "-c", code, cwd=tmp_path)) == []


def test_the_commands_are_installed(python: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "ORION_NB_HOME": str(tmp_path), "COLUMNS": "100"}
    for command in ("orion-nb", "jupyter-orion"):
        assert "deploy" in run(python.with_name(command), "--help", cwd=tmp_path, env=environ)


def test_all_three_packages_come_from_the_wheel(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys, importlib; [print(importlib.import_module(p).__file__) for p in sys.argv[1:]]"
    )
    for path in run(python, "-c", code, *sorted(PACKAGES), cwd=tmp_path).splitlines():
        assert Path(path).is_relative_to(python.parents[1])
