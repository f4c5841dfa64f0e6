"""Runners and kernels that were started before anybody knew for what: nobody can tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orion_nb.deployments.files import LOG, Spec, notebook_of, run_folder
from orion_nb.deployments.launch import StandbyRunner, launch
from orion_nb.deployments.standby import MARK_LENGTH, StandbyKernel, beginning, find_command
from orion_nb.deployments.sweeping import new_mark

# What a notebook can find out about where it is.
LOOK = """
import gc, json, locale, os, signal, sys, threading
from pathlib import Path
facts = {
    "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv[:1] + sys.argv[3:],
    "executable": sys.executable, "flags": list(sys.flags), "warnings": sys.warnoptions,
    "environ": {k: v for k, v in os.environ.items() if k not in ("ORION_NB_RUN_ID",
        "ORION_NB_ATTEMPT", "ORION_NB_PARAMS", "JPY_PARENT_PID")},
    "mark": os.environ["ORION_NB_ATTEMPT"].split(".")[0] == os.environ["ORION_NB_RUN_ID"],
    "shown": os.environ["ORION_NB_ATTEMPT"].encode() in Path("/proc/self/environ").read_bytes(),
    "parent": os.environ["JPY_PARENT_PID"] == str(os.getppid()),
    "count": get_ipython().execution_count, "history": list(In), "out": dict(Out),
    "names": sorted(n for n in globals() if not n.startswith("_i")),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "modules": sorted(sys.modules),
    "threads": sorted(t.name.split("-")[0] for t in threading.enumerate()),
    "stdin": os.read(0, 10).decode(), "group": os.getpgid(0) == os.getpid() == os.getsid(0),
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "descriptors": sorted(os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in (0,)),
    "extensions": sorted(get_ipython().extension_manager.loaded), "locale": locale.getlocale(),
    "umask": os.umask(0o22), "frozen": gc.get_freeze_count(),
}
Path("facts.json").write_text(json.dumps(facts))
"""
COLD = [sys.executable, "-P", "-m", "orion_nb.deployments.runner"]


@pytest.fixture
def begun(orion, write_notebook):
    """A run of a notebook of these cells, with its spec."""

    def begin(*cells):
        path = write_notebook(*cells)
        run = orion.begin(orion.new_run("flow", path.stem, key=f"notebook:{path}"))[0]
        return run, Spec(str(path))

    return begin


@pytest.fixture
def standby(orion, processes, eventually):
    """A runner that waits, with its kernel; their imports are done."""
    made = []

    def start(kernel="python3"):
        runner = StandbyRunner(orion.settings, kernel)
        made.append(runner)
        eventually(lambda: _rests(runner.process.pid) and len(processes()) >= 2)
        eventually(lambda: all(map(_rests, processes())), "both to wait")
        return runner

    yield start
    for runner in made:
        if runner.process.poll() is None:
            runner.drop()


def _rests(pid):
    """The process reads its stdin, and has nothing else to do: it stays asleep for a while."""
    ticks = _ticks(pid)
    time.sleep(0.2)
    return ticks is not None and _ticks(pid) == ticks


def _ticks(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0] == "S" and (fields[11], fields[12])


@pytest.mark.slow
def test_a_notebook_can_not_tell_that_its_kernel_waited(orion, begun, standby, tmp_path):
    told = {}
    for kind in ("cold", "warm"):
        run, spec = begun("1 + 1", LOOK)
        if kind == "cold":
            spec.write(run_folder(orion.settings, run.id))
            _execute(run.id)
        else:
            waits = standby()
            kernels = set(_children(waits.process.pid))
            process = launch(orion, run.id, spec, waits)
            assert process.wait(60) == 0
            log = (run_folder(orion.settings, run.id) / LOG).read_text()
            assert all(" INFO " in line for line in log.splitlines()), log  # and no noise
        assert str(orion.find(run.id).state) == "Completed"
        told[kind] = json.loads((tmp_path / "facts.json").read_text())

    assert len(kernels) == 1
    assert told["warm"]["cwd"] == str(tmp_path)
    modules = [set(told[kind].pop("modules")) for kind in ("warm", "cold")]
    assert modules[0] - modules[1] <= {"runpy", "pkgutil"}
    assert modules[1] - modules[0] == set()
    environs = [told[kind].pop("environ") for kind in ("warm", "cold")]
    assert set(environs[0].items()) ^ set(environs[1].items()) == set()
    assert told["warm"] == told["cold"]


def _execute(run_id):
    """By a runner that has waited for nothing."""
    # Without `env` a child is also told what a C library has set in this process.
    subprocess.run([*COLD, run_id], check=True, stderr=subprocess.DEVNULL, env=dict(os.environ))


def _children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split()]


@pytest.mark.slow
def test_a_standby_is_really_the_kernel_and_is_used_once(
    orion, begun, standby, tmp_path, processes
):
    note = "import os\nfrom pathlib import Path\nPath('pid').write_text(str(os.getpid()))"
    waits = standby()
    (kernel,) = _children(waits.process.pid)
    run, spec = begun(note)

    assert launch(orion, run.id, spec, waits).wait(60) == 0

    assert (tmp_path / "pid").read_text() == str(kernel)
    assert processes() == {}


@pytest.mark.slow
def test_a_standby_of_another_kernel_or_environment_is_not_used(
    orion, begun, standby, tmp_path, monkeypatch
):
    """The run gets a kernel that was started for it; the one that waited is gone."""
    waits = standby()
    (kernel,) = _children(waits.process.pid)
    folder = tmp_path / "jupyter" / "kernels" / "other"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-X", "dev", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    told = {"argv": argv, "display_name": "other", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps({**told, "env": {"SEEN": "${HOME}/x"}}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    note = (
        "import os, sys\nfrom pathlib import Path\n"
        "Path('seen').write_text(f\"{os.getpid()} {sys.flags.dev_mode} {os.environ['SEEN']}\")"
    )
    run, spec = begun(note)
    spec = Spec(spec.path, kernel="other")

    assert launch(orion, run.id, spec).wait(60) == 0  # one is started for it, and waits in between
    first = (tmp_path / "seen").read_text().split()
    assert first[1:] == ["True", os.environ["HOME"] + "/x"]

    run, _ = begun(note)
    assert launch(orion, run.id, spec, waits).wait(60) == 0
    assert str(orion.find(run.id).state).startswith("Failed: kernel 'other' not found")
    assert not Path(f"/proc/{kernel}").exists()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["killed", "dropped"])
def test_a_standby_ends_with_whoever_started_it(
    orion, processes, eventually, ending, home, tmp_path
):
    script = (
        "import sys\nfrom orion_nb import connect\n"
        "from orion_nb.deployments.launch import StandbyRunner\n"
        "made = StandbyRunner(connect().settings)\nsys.stdin.readline()\nmade.drop()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    eventually(lambda: len(processes()) == 3)

    if ending == "killed":
        owner.kill()
    owner.communicate(b"\n" if ending == "dropped" else None)

    eventually(lambda: processes() == {})
    if ending == "dropped":
        assert list((home / "standby").iterdir()) == []


@pytest.mark.slow
def test_a_standby_that_is_killed_while_it_waits_costs_nothing(orion, begun, standby):
    waits = standby()
    (kernel,) = _children(waits.process.pid)
    os.kill(kernel, 9)
    run, spec = begun("1")

    assert launch(orion, run.id, spec, waits).wait(60) == 0

    assert str(orion.find(run.id).state) == "Completed"
    assert notebook_of(orion.settings, run.id) is not None


def test_what_can_wait_is_told_by_the_command():
    assert beginning(["py", "-m", "ipykernel_launcher", "-f", "x"]) == ["py"]
    assert beginning(["py", "-X", "dev", "-m", "ipykernel", "-f", "x"]) is None
    assert beginning(["py", "-Xdev", "-m", "ipykernel", "-f", "x"]) == ["py", "-Xdev"]
    assert beginning(["R", "--slave", "-e", "IRkernel::main()"]) is None
    assert beginning(["py", "-m", "xonsh.kernel", "-f", "x"]) is None
    assert StandbyKernel.of("no such kernel", os.environ) is None
    assert find_command("no such kernel") == ([], None)


def test_a_name_that_is_none_leads_nowhere(tmp_path, monkeypatch):
    """A kernel's name comes from a notebook: it is no path."""
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernel.json").write_text('{"argv": ["/bin/true", "-m", "ipykernel", "x"]}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for name in ("..", "../kernels/..", "", "/", f"{tmp_path}"):
        assert find_command(name) == ([], None), name


def test_every_mark_has_the_same_length():
    run = "01a20403ec2870009f1eb8c9f0b192d7"
    for attempt in (1, 12345, 10**9):
        mark = new_mark(run, attempt)
        assert len(mark) == MARK_LENGTH
        assert mark.startswith(f"{run}.{attempt}.")
    assert new_mark(run, 1) != new_mark(run, 1)


@pytest.mark.parametrize("name", ["adhoc", "worker", "runner"])
def test_what_starts_or_becomes_a_runner_imports_nothing_slow(name):
    """Building one grammar alone would take two seconds (see `forgo_grammar`)."""
    script = (
        f"import sys, orion_nb.deployments.{name}\n"
        "print(*{'nbformat', 'nbclient', 'jsonschema', 'jupyter_client'} & sys.modules.keys())"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert said.stdout.split() == []


FLOW = """
import json, os, signal, sys, threading
from pathlib import Path
from orion_nb import flow

facts = {
    "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv[:1], "flags": list(sys.flags),
    "environ": {k: v for k, v in os.environ.items() if k not in ("ORION_NB_RUN_ID",
        "ORION_NB_ATTEMPT", "ORION_NB_PARAMS")},
    "shown": os.environ["ORION_NB_ATTEMPT"].encode() in Path("/proc/self/environ").read_bytes(),
    "stdin": os.read(0, 10).decode(), "group": os.getpgid(0) == os.getpid() == os.getsid(0),
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "modules": sorted(sys.modules), "threads": threading.active_count(),
    "umask": os.umask(0o22),
}

@flow
def tells():
    Path("facts.json").write_text(json.dumps({**facts, "pid": os.getpid()}))
"""


@pytest.mark.slow
def test_a_flow_can_not_tell_that_its_process_waited(orion, standby, tmp_path, processes):
    path = tmp_path / "tells.py"
    path.write_text(FLOW, "utf-8")
    told = {}
    for kind, env in (("cold", {}), ("warm", {}), ("other", {"SEEN_EARLY": "1"})):
        run = orion.begin(orion.new_run("flow", "tells", key=f"flow:{path}"))[0]
        spec = Spec(str(path), flow="tells", env=env)
        if kind == "cold":
            spec.write(run_folder(orion.settings, run.id))
            _execute(run.id)
        else:
            waits = standby("")
            (waiting,) = _children(waits.process.pid)
            assert launch(orion, run.id, spec, waits).wait(60) == 0
        assert str(orion.find(run.id).state) == "Completed"
        told[kind] = json.loads((tmp_path / "facts.json").read_text())
        if kind != "cold":
            assert (told[kind].pop("pid") == waiting) is (kind == "warm")
        assert processes() == {}  # one that was not used is gone as well
    told["cold"].pop("pid")
    assert told["warm"] == told["cold"]
    assert told["other"]["environ"] == {**told["cold"]["environ"], "SEEN_EARLY": "1"}
