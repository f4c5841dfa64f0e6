from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import pickle
import subprocess
import sys
import threading
import warnings

import pytest

from orion_nb import connect, flow, get_logger, task
from orion_nb.engine import logs
from orion_nb.engine.context import current
from orion_nb.errors import InvalidInput


@pytest.fixture
def log():
    """A logger of the user's that lets INFO through."""
    logger = logging.getLogger("user.code")
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def lines_of(name, **query):
    return connect().filter_logs(run=name, limit=1000, **query)["lines"]


def messages(name, **query):
    return [line["message"] for line in lines_of(name, **query)]


# -- logging ---------------------------------------------------------------------------------------


def test_a_record_is_kept_with_the_innermost_run_that_wrote_it(log):
    @task
    def load():
        log.warning("in the %s", "task")

    @flow
    def whole():
        log.info("before")
        load()
        log.error("after")

    log.error("outside")
    whole()
    told = [(line["level"], line["logger"], line["message"]) for line in lines_of("whole")]
    assert told == [(20, "user.code", "before"), (40, "user.code", "after")]
    assert messages("load") == ["in the task"]
    tree = [(line["name"], line["message"]) for line in lines_of("whole", tree=True)]
    assert tree == [("whole", "before"), ("load", "in the task"), ("whole", "after")]
    assert {line["timestamp"] // 10**12 for line in lines_of("load")} == {
        connect().find("load").start_time // 10**12
    }


def test_what_logging_does_not_let_through_is_not_kept(log):
    @flow
    def whole():
        log.debug("below the logger's level")
        logging.getLogger("user.quiet").info("below the root's")
        log.addFilter(lambda record: "secret" not in record.getMessage())
        log.info("a secret")
        log.filters.clear()
        log.info("seen")

    whole()
    assert messages("whole") == ["seen"]


def test_submitted_tasks_keep_their_own_lines_on_any_thread():
    @task
    def step(n):
        for turn in range(20):
            get_logger().info("%d.%d", n, turn)
        return n

    @flow
    def whole():
        return [future.result() for future in step.map(range(8))]

    whole()
    by_run: dict[str, list[str]] = {}
    for line in connect().filter_logs(run="whole", tree=True, limit=1000)["lines"]:
        by_run.setdefault(line["run"], []).append(line["message"])
    assert sorted(by_run.values()) == [[f"{n}.{turn}" for turn in range(20)] for n in range(8)]


def test_async_tasks_keep_their_own_lines():
    async def step(n):
        print("begin", n)
        await asyncio.sleep(0)
        print("end", n)

    @flow
    async def whole():
        await asyncio.gather(*(task(name=f"step{n}")(step)(n) for n in range(3)))

    asyncio.run(whole())
    assert [messages(f"step{n}") for n in range(3)] == [
        [f"begin {n}", f"end {n}"] for n in range(3)
    ]


def test_a_generators_lines_are_its_own_and_there_when_it_ends():
    @task
    def items():
        for n in range(2):
            print("makes", n)
            yield n

    @task
    async def items_async():
        for n in range(2):
            print("makes", n)
            yield n

    async def take():
        return [item async for item in items_async()]

    for item in items():
        print("takes", item)
    assert messages("items") == ["makes 0", "makes 1"]
    assert asyncio.run(take()) == [0, 1]
    assert messages("items_async") == ["makes 0", "makes 1"]


def test_each_attempt_adds_to_the_log(log):
    @task(retries=2)
    def flaky():
        log.info("attempt %d", current().run.attempt)
        if current().run.attempt < 3:
            raise ValueError("not yet")

    flaky()
    assert messages("flaky") == ["attempt 1", "attempt 2", "attempt 3"]


def test_an_exception_is_kept_with_its_traceback_and_the_record_stays_as_it_was(log):
    shown = []

    class Odd(logging.Formatter):
        def formatException(self, ei):  # noqa: N802
            return f"odd {ei[0].__name__}"

    class Showing(logging.Handler):
        def emit(self, record):
            shown.append(self.format(record))

    handler = Showing()
    handler.setFormatter(Odd("%(filename)s %(message)s"))
    log.addHandler(handler)

    @flow
    def whole():
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            log.exception("oops")
        log.info("with a stack", stack_info=True)

    whole()
    first, second = messages("whole")
    assert first.startswith("oops\nTraceback (most recent call last):\n")
    assert first.endswith("ZeroDivisionError: division by zero")
    assert "Stack (most recent call last):" in second
    assert shown[0] == "test_logs.py oops\nodd ZeroDivisionError"


def test_warnings_are_kept_when_logging_captures_them():
    @flow
    def whole(captured):
        logging.captureWarnings(captured)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn("mind the gap", stacklevel=1)
        finally:
            logging.captureWarnings(False)

    logging.getLogger("py.warnings").addHandler(quiet := logging.NullHandler())
    whole(True)
    with pytest.warns(UserWarning, match="mind the gap"):
        whole(False)
    logging.getLogger("py.warnings").removeHandler(quiet)
    (line,) = connect().filter_logs(text="mind the gap")["lines"]
    assert (line["logger"], line["level"]) == ("py.warnings", 30)


def test_nothing_changes_for_those_who_configure_logging_or_do_not(script, finish):
    told = finish(
        script(
            """
            import io, logging, sys
            from orion_nb import flow, get_logger

            sys.stderr = seen = io.StringIO()

            @flow
            def whole():
                logging.getLogger("a").info("nobody sees this")
                logging.getLogger("a").warning("Python's last resort shows this")
                get_logger().info("kept")
                logging.basicConfig(format="%(levelname)s %(name)s %(funcName)s %(message)s")
                logging.getLogger("a").warning("configured")
                logging.getLogger("a").info("below")

            before = list(logging.root.handlers)
            whole()
            print(before, len(logging.root.handlers), logging.root.level)
            print(seen.getvalue(), end="")
            """
        )
    )
    assert told.splitlines() == [
        "[] 1 30", "Python's last resort shows this", "WARNING a whole configured",
    ]  # fmt: skip
    assert messages("whole") == ["Python's last resort shows this", "kept", "configured"]


def test_a_record_that_cant_be_formatted_is_kept_as_it_is(log):
    class Broken:
        def __str__(self):
            raise RuntimeError("no text")

    log.propagate = False  # pytest's own handler does not take such records
    log.addHandler(logging.NullHandler())

    @flow
    def whole():
        log.info("%d lines", "many")
        log.info(Broken())
        log.info("half \ud800 a character")
        log.log(2**40, "a level of its own")
        logging.getLogger("orion_nb.over").warning("a name of ours")
        return 5

    assert whole() == 5
    first, *rest = messages("whole")
    assert first.startswith("%d lines (can't be formatted: TypeError: %d format")
    assert rest == ["half \\ud800 a character", "a level of its own", "a name of ours"]


def test_a_line_logged_while_another_is_made_is_kept_too(log):
    class Chatty:
        def __str__(self):
            log.info("inner")
            return "outer"

    log.propagate = False  # no handler asks for the text once more
    log.addHandler(logging.NullHandler())

    @flow
    def whole():
        log.info(Chatty())
        print(Chatty())

    whole()
    assert messages("whole") == ["inner", "outer", "inner", "outer"]


# -- get_logger ------------------------------------------------------------------------------------


def test_the_runs_logger_knows_its_run_where_nothing_else_tells(caplog):
    @flow
    def whole():
        mine = get_logger()
        thread = threading.Thread(target=mine.info, args=("from a thread",))
        thread.start()
        thread.join()
        step(mine)

    @task
    def step(given):
        given.info("from a task")

    with caplog.at_level(logging.INFO):
        whole()
    assert messages("whole") == ["from a thread"]
    assert messages("step") == ["from a task"]
    runs = [record.orion_run for record in caplog.records]
    assert runs == [connect().find("whole").id, connect().find("step").id]
    assert json.dumps(runs)


def test_the_runs_logger_works_outside_of_runs_and_for_code_that_is_given_one(caplog):
    outside = get_logger()
    with caplog.at_level(logging.INFO):
        outside.info("alone %d", 1, extra={"more": 2})

    @flow
    def whole():
        outside.info("within")

    whole()
    assert (caplog.records[0].message, caplog.records[0].more) == ("alone 1", 2)
    assert messages("whole") == ["within"]
    assert isinstance(pickle.loads(pickle.dumps(outside)), type(outside))


# -- settings --------------------------------------------------------------------------------------

SETTINGS = """
import logging, sys
from orion_nb import flow, get_logger

@flow
def whole():
    print("printed")
    get_logger().debug("debug")
    logging.getLogger("a").warning("warning")
    get_logger().error("error")

whole()
"""


@pytest.mark.parametrize(
    ("environ", "kept"),
    [
        ({}, ["printed", "warning", "error"]),
        ({"ORION_NB_LOG_LEVEL": "DEBUG"}, ["printed", "debug", "warning", "error"]),
        ({"ORION_NB_LOG_LEVEL": "error"}, ["error"]),
        ({"ORION_NB_LOG_LEVEL": "off"}, []),
        ({"ORION_NB_LOG_PRINTS": "0"}, ["warning", "error"]),
    ],
)
def test_settings_say_what_is_kept(script, finish, monkeypatch, environ, kept):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = finish(script(f"import os\nos.environ.update({environ!r})\n{SETTINGS}"))
    assert told == "printed\n"
    assert messages("whole") == kept


def test_a_level_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="ORION_NB_LOG_LEVEL: 'loud' is no level"):
        logs.read_settings({"ORION_NB_LOG_LEVEL": "loud"})


def test_a_context_carried_to_a_thread_carries_the_run():
    @flow
    def whole():
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(print, "carried"))
        thread.start()
        thread.join()
        bare = threading.Thread(target=print, args=("not carried",))
        bare.start()
        bare.join()

    whole()
    assert messages("whole") == ["carried"]


def test_importing_starts_no_thread_and_changes_nothing():
    code = (
        "import builtins, logging; before = builtins.print, logging.Logger.callHandlers\n"
        "import orion_nb, threading\n"
        "assert before == (builtins.print, logging.Logger.callHandlers)\n"
        "assert threading.active_count() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_print_that_was_kept_before_it_was_replaced_is_still_pickled() -> None:
    code = """
import builtins, functools, math, pickle
kept = print
from orion_nb import task
task(lambda: print("replaced"))()
assert builtins.print is not kept
for value in (kept, functools.partial(kept, 1), len, [3].append, math.sin, print):
    pickle.loads(pickle.dumps(value))
import cloudpickle
pickle.loads(cloudpickle.dumps({"show": kept}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
