"""`orion-nb secrets`: values come from stdin and are shown nowhere."""

from __future__ import annotations


def test_a_secret_is_set_listed_by_name_and_removed(call, home, monkeypatch):
    assert "No secrets yet" in call("secrets", "ls").err
    done = call("secrets", "set", "DB", stdin="hunter2 it is\n")
    assert (done.code, done.out) == (0, "")
    assert (home / "secrets" / "DB").read_text("utf-8") == "hunter2 it is"
    monkeypatch.setenv("ORION_NB_SECRET_API", "something")
    told = call("secrets", "ls", "--json")
    assert told.json == {
        "secrets": [{"name": "API", "where": "environment"}, {"name": "DB", "where": "file"}]
    }
    assert "hunter2" not in call("secrets", "ls").out
    assert call("secrets", "rm", "DB").code == 0
    assert not (home / "secrets" / "DB").exists()
    assert call("secrets", "rm", "DB").code == 2
    assert "4 to 65536 characters" in call("secrets", "set", "DB", stdin="abc").err
    assert call("secrets", "set", "../DB", stdin="hunter2").code == 2
