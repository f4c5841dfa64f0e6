from __future__ import annotations

import base64

from orion_nb.deployments.printed import Printed
from orion_nb.schemas.states import Completed, Running


def messages(kernel, name, **query):
    return [line["message"] for line in kernel.orion.read_logs(name, **query)["lines"]]


def test_what_a_cell_prints_is_shown_in_it_and_kept_with_the_run(new_kernel):
    kernel = new_kernel()
    kernel.do(
        "%load_ext orion_nb\nfrom orion_nb import flow, task, get_logger\nimport sys, logging"
    )
    kernel.do(
        """
@task
def load():
    print("in a", "task")
    print("to stderr", file=sys.stderr)
    logging.getLogger("mine").warning("watch out")
    get_logger().info("kept")

@flow
def whole():
    print("in the flow")
    load.submit().result()
"""
    )
    ran = kernel.do("print('before'); whole(); print('after')")
    assert ran.stdout == "before\nin the flow\nin a task\nafter\n"
    assert "to stderr\n" in ran.stderr
    assert "watch out" in ran.stderr
    assert messages(kernel, "whole") == ["in the flow"]
    assert messages(kernel, "load") == ["in a task", "to stderr", "watch out", "kept"]


def test_a_task_cell_keeps_what_it_prints(new_kernel):
    kernel = new_kernel()
    kernel.do("%load_ext orion_nb")
    ran = kernel.do("%%task counting\nfor n in range(3):\n    print(n)\n'value'")
    assert ran.stdout == "0\n1\n2\n"
    assert messages(kernel, "counting") == ["0", "1", "2"]
    held = kernel.do("%%capture held\nprint('held')")
    assert held.stdout == ""
    assert kernel.value("held.stdout") == "held\n"
    assert kernel.do("import sys; type(sys.stdout).__name__").result == "'OutStream'"


def test_printed_in_a_thread_of_a_run_it_is_shown_and_kept(new_kernel):
    kernel = new_kernel()
    kernel.do("from orion_nb import flow, task\n@task\ndef step(n):\n    print('step', n)")
    kernel.do("@flow\ndef whole():\n    [f.result() for f in step.map(range(3))]")
    ran = kernel.do("whole()")
    assert sorted(ran.stdout.split("\n")) == ["", "step 0", "step 1", "step 2"]
    assert sorted(messages(kernel, "whole", tree=True)) == ["step 0", "step 1", "step 2"]


def test_an_artifact_has_the_formats_that_the_kernel_would_show(new_kernel):
    kernel = new_kernel()
    kernel.do(
        """
from orion_nb import artifact, flow
from IPython.display import Image, HTML
from IPython import get_ipython

class Odd:
    def __repr__(self):
        return "odd"

get_ipython().display_formatter.formatters["text/html"].for_type(Odd, lambda odd: "<i>odd</i>")
PNG = b"\\x89PNG\\r\\n\\x1a\\n" + bytes(64)

@flow
def whole():
    artifact(Odd(), key="odd")
    artifact(Image(PNG, format="png"), key="image")
    artifact(HTML("<b>x</b>"), key="html")

whole()
"""
    )
    read = kernel.orion.read_artifact
    assert read("odd")["data"] == {"text/plain": "odd", "text/html": "<i>odd</i>"}
    image = read("image")
    png = base64.b64decode(image["data"]["image/png"])
    assert (png, image["binary"]) == (b"\x89PNG\r\n\x1a\n" + bytes(64), ["image/png"])
    assert read("html")["data"]["text/html"] == "<b>x</b>"


def test_an_artifact_outside_of_runs_does_no_harm_where_people_work(kernel):
    kernel.do("from orion_nb import artifact\nshown = artifact({'rows': 3}, key='of nobody')")
    assert kernel.value("shown") == "{'rows': 3}"
    assert kernel.orion.filter_artifacts(key="of nobody")["artifacts"] == []


def test_a_run_is_followed_in_a_cell_with_what_its_own_cells_print(new_kernel):
    kernel = new_kernel()
    kernel.do("%load_ext orion_nb")
    orion = kernel.orion
    run = orion.begin(orion.new_run("flow", "followed"), Running())[0]
    folder = orion.settings.notebooks / run.id
    folder.mkdir(parents=True)
    file = Printed(folder, 1)
    file.add(2, "stdout", "\x1b[31mred\x1b[0m\x1b[2J\n")
    request = kernel.send("%orion logs followed --follow")
    kernel.hear("red")
    file.add(2, "stdout", "last, without an end")
    file.close()
    orion.advance(run, Completed())
    ran = kernel.wait(request)
    assert ran.ok
    assert [line[10:] for line in ran.stdout.splitlines()] == [
        "cell 2: red", "cell 2: last, without an end",
    ]  # fmt: skip
    raw = "".join(each["text"] for each in ran.outputs if each["kind"] == "stream")
    assert "\x1b[31mred\x1b[0m" in raw
    assert "\x1b[2J" not in raw
    assert "--follow shows all lines" in kernel.run("%orion logs followed -f --limit 3").stderr
