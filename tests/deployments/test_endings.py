from __future__ import annotations

from orion_nb.deployments.endings import fate, last_words


def test_an_exit_code_is_told_in_words():
    assert (fate(None), fate(-9), fate(3)) == (
        "stopped answering",
        "killed by signal 9",
        "exited with code 3",
    )


def test_the_last_words_of_a_process_are_not_what_the_runner_logged(tmp_path):
    log = tmp_path / "runner.log"
    assert last_words(log) == ""
    log.write_text("2026-01-01 00:00:00,000 INFO orion_nb: began\n")
    assert last_words(log) == ""
    with log.open("a") as file:
        file.write("Traceback ...\nModuleNotFoundError: No module named 'x'\n\n")
        file.write("2026-01-01 00:00:01,000 INFO orion_nb: ended\n")
    assert last_words(log) == ": ModuleNotFoundError: No module named 'x'"
