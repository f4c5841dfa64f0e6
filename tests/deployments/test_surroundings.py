"""The files that a run has written are listed, whatever they are called."""

from __future__ import annotations

import os

from orion_nb.deployments.surroundings import record_files


def test_a_name_may_be_any_bytes(orion, tmp_path):
    run = orion.create_run("flow", "writes")
    folder = tmp_path / "work"
    folder.mkdir()
    for name in (b"b\xff.txt", b"a.txt", b"`|\n.txt"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"x")
    record_files(orion, run.id, folder, 0)
    (made,) = orion.filter_artifacts(run=run.id)["artifacts"]
    told = orion.read_artifact(made["id"])["data"]["application/json"]["files"]
    assert [each["path"] for each in told] == ["`|\n.txt", "a.txt", "b\\xff.txt"]
    assert all(each["sha256"] for each in told)
