"""`orion-nb secrets`: values come from stdin and are shown nowhere."""

from __future__ import annotations

from contextlib import closing

from orion_nb.secrets import find
from tests.server.conftest import TOKEN, running


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


def test_where_a_server_is_named_it_keeps_them(call, home, tmp_path, monkeypatch):
    (tmp_path / "far").mkdir()
    with running(tmp_path / "far") as server, closing(server.orion()) as there:
        monkeypatch.setenv("ORION_NB_API_URL", server.url)
        monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
        done = call("secrets", "set", "FAR", stdin="hunter2 it is\n")
        assert (done.code, done.out) == (0, "")
        assert done.err == f"FAR is kept at {server.url}.\n"
        assert find("FAR", there.settings.home) == "hunter2 it is"
        assert not (home / "secrets").exists()
        assert call("secrets", "ls", "--json").json == {
            "secrets": [{"name": "FAR", "where": "file"}]
        }
        assert "hunter2" not in call("secrets", "ls").out
        refused = call("secrets", "set", "FAR", stdin="abc")
        assert refused.code == 2
        assert "4 to 65536 characters" in refused.err
        assert call("secrets", "rm", "FAR").err == f"FAR is removed at {server.url}.\n"
        assert find("FAR", there.settings.home) is None
        assert call("secrets", "rm", "FAR").code == 2
        logged = "".join(each.read_text() for each in (tmp_path / "far").rglob("*.log"))
        assert "hunter2" not in logged
