"""What is stored is whole, ours and unchanged, or it is not decoded."""

from __future__ import annotations

import json
import os
import pickle
import stat
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import fsspec
import pytest

from orion_nb.errors import ResultUnavailable, TamperedResult
from orion_nb.schemas.results import Reference
from orion_nb.store.blobs import Blobs, local_folder, public
from orion_nb.store.envelopes import HEAD, OVERHEAD, key_of, seal, secret_of
from orion_nb.store.serializers import Serialized, serialize

SECRET = b"s" * 32


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path: Path):
    if request.param == "file":
        yield f"file://{tmp_path}/results"
    else:
        yield f"memory://results-{tmp_path.name}"
        fsspec.filesystem("memory").store.clear()


@pytest.fixture
def blobs(url):
    return Blobs(url, SECRET)


def written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("value", [(1, {2}), list(range(5000)), {"a": b"x"}], ids=range(3))
def test_a_value_comes_back(blobs, value):
    made = serialize(value)
    reference = blobs.put(made)
    assert reference == blobs.put(made)
    assert (reference.size, reference.status) == (len(made.body), "stored")
    assert blobs.get(Reference.from_text(reference.to_text())) == value


def test_its_key_is_the_sha256_of_what_is_stored(tmp_path):
    reference = Blobs(str(tmp_path / "results"), SECRET).put(serialize((1, 2)))
    key = reference.key
    path = tmp_path / "results" / key[:2] / key[2:4] / key
    assert sha256(path.read_bytes()).hexdigest() == key
    assert len(path.read_bytes()) == reference.size + OVERHEAD


def test_the_same_content_is_one_file_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        blobs = Blobs(str(tmp_path / "results"), SECRET, fsync=True)
        path = _path(tmp_path / "results", blobs.put(serialize((1, 2))))
    finally:
        os.umask(before)
    inode = path.stat().st_ino
    blobs.put(serialize((1, 2)))
    assert path.stat().st_ino == inode
    assert written(tmp_path) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent, tmp_path / "results"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_that_was_cut_is_written_anew(tmp_path):
    blobs = Blobs(str(tmp_path / "results"), SECRET)
    path = _path(tmp_path / "results", reference := blobs.put(serialize((1, 2))))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TamperedResult, match="fewer bytes"):
        blobs.get(reference)
    blobs.put(serialize((1, 2)))
    assert blobs.get(reference) == (1, 2)


def _path(folder: Path, reference: Reference) -> Path:
    assert reference.key
    return folder / reference.key[:2] / reference.key[2:4] / reference.key


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def trap(tmp_path):
    """Blobs with a value in them that tells when it is unpickled, and the tale."""
    sprung = tmp_path / "sprung"
    blobs = Blobs(str(tmp_path / "results"), SECRET)
    body = pickle.dumps(Trap(sprung))
    reference = blobs.put(Serialized("pickle", body))
    return blobs, reference, _path(tmp_path / "results", reference), sprung


def test_the_trap_works(trap):
    blobs, reference, _, sprung = trap
    blobs.get(reference)
    assert sprung.exists()


def test_no_byte_can_be_changed(trap):
    blobs, reference, path, sprung = trap
    right = path.read_bytes()
    for at in range(len(right)):
        path.write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])
        with pytest.raises(TamperedResult, match="changed"):
            blobs.get(reference)
    assert not sprung.exists()


def test_nothing_can_be_added_or_left_out(trap):
    blobs, reference, path, sprung = trap
    right = path.read_bytes()
    for wrong in (b"", right[:10], right[:-1], right + b"x", right * 1000):
        path.write_bytes(wrong)
        with pytest.raises(TamperedResult, match=r"(more|fewer) bytes"):
            blobs.get(reference)
    assert not sprung.exists()


def forged(reference: Reference, path: Path, sealed: bytes) -> Reference:
    """The database was changed as well: the key fits what is stored now."""
    changed = replace(reference, key=key_of(sealed), size=len(sealed) - OVERHEAD)
    path = path.parents[2] / changed.key[:2] / changed.key[2:4] / changed.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sealed)
    return changed


def test_whoever_can_change_file_and_reference_can_not_sign(trap):
    blobs, reference, path, sprung = trap
    right = path.read_bytes()
    for at in range(len(right)):
        wrong = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
        with pytest.raises(TamperedResult, match="not signed with the secret"):
            blobs.get(forged(reference, path, wrong))
    foreign = seal(b"another secret".ljust(32), "pickle", right[OVERHEAD:])
    with pytest.raises(TamperedResult, match="not signed with the secret"):
        blobs.get(forged(reference, path, foreign))
    assert not sprung.exists()


def test_another_serializer_than_the_signed_one_is_refused(tmp_path):
    blobs = Blobs(str(tmp_path / "results"), SECRET)
    sprung = tmp_path / "sprung"
    # A JSON text may be a pickle as well: what is signed as text is not to be unpickled.
    reference = blobs.put(Serialized("json", pickle.dumps(Trap(sprung))))
    for name in ("pickle", "npy", None, ""):
        with pytest.raises(TamperedResult, match="is not the"):
            blobs.get(replace(reference, serializer=name))
    assert not sprung.exists()


def test_one_result_in_the_place_of_another_is_refused(tmp_path):
    blobs = Blobs(str(tmp_path / "results"), SECRET)
    one, two = blobs.put(serialize((1, 1))), blobs.put(serialize((2, 2)))
    folder = tmp_path / "results"
    _path(folder, one).write_bytes(_path(folder, two).read_bytes())
    with pytest.raises(TamperedResult, match="changed"):
        blobs.get(one)


def test_a_newer_format_is_not_called_tampered(tmp_path):
    blobs = Blobs(str(tmp_path / "results"), SECRET)
    reference = blobs.put(serialize((1, 2)))
    body = _path(tmp_path / "results", reference).read_bytes()[OVERHEAD:]
    from orion_nb.store import envelopes

    head = HEAD.pack(envelopes.MAGIC, 2, b"pickle", len(body))
    sealed = head + envelopes._signature(SECRET, head, body) + body
    with pytest.raises(ResultUnavailable, match=r"newer orion_nb wrote it \(format 2\)"):
        blobs.get(forged(reference, _path(tmp_path / "results", reference), sealed))


def test_what_is_not_there_is_unavailable(blobs, url):
    reference = Reference(key="ab" * 32, serializer="pickle", size=3, url=url)
    with pytest.raises(ResultUnavailable, match="nothing is stored as abababababab"):
        blobs.get(reference)
    with pytest.raises(ResultUnavailable, match="because"):
        blobs.get(Reference(problem="because"))


def test_what_can_not_be_decoded_is_unavailable(blobs):
    body = b"cno_such_module\nThing\n."
    with pytest.raises(ResultUnavailable, match="ModuleNotFoundError: No module named 'no_such"):
        blobs.get(blobs.put(Serialized("pickle", body)))


def test_a_url_of_no_storage_says_so():
    reference = Reference(key="ab" * 32, serializer="pickle", size=3)
    with pytest.raises(ResultUnavailable, match="nosuch"):
        Blobs("nosuch://bucket", SECRET).get(reference)


def test_passwords_are_not_told():
    assert public("s3://key:secret@bucket/path@2") == "s3://bucket/path@2"
    assert public("s3://bucket/a@b") == "s3://bucket/a@b"
    assert public("/folder/a@b") == "/folder/a@b"
    assert Blobs("ftp://me:secret@host/x", SECRET).url == "ftp://host/x"


def test_which_urls_are_folders(tmp_path):
    assert local_folder(f"file://{tmp_path}") == local_folder(str(tmp_path)) == tmp_path
    assert local_folder("memory://x") is None
    assert local_folder("s3://bucket") is None


# -- the secret ------------------------------------------------------------------------------------


def test_the_secret_is_made_once_for_its_owner_alone(home):
    secret = secret_of(home)
    assert len(secret) == 32
    assert secret_of(home) == secret
    assert stat.S_IMODE((home / "results.key").stat().st_mode) == 0o600
    assert written(home) == [home / "results.key"]


def test_processes_agree_on_one_secret(home, script, finish):
    source = """
        import sys, time
        from pathlib import Path
        from orion_nb.store.envelopes import secret_of
        print("ready", flush=True)
        sys.stdin.readline()
        print(secret_of(Path(sys.argv[1])).hex())
    """
    processes = [script(source, home) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert len({finish(process) for process in processes}) == 1
    assert written(home) == [home / "results.key"]


def test_a_secret_is_made_where_there_are_no_hard_links(home, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert secret_of(home) == secret_of(home)
    assert written(home) == [home / "results.key"]


@pytest.mark.parametrize("text", ["", "abc", "x" * 64])
def test_a_damaged_secret_is_not_used(home, text):
    home.mkdir()
    (home / "results.key").write_text(text)
    with pytest.raises(OSError, match="remove it"):
        secret_of(home)


def test_two_processes_write_the_same_at_once(home, script, finish):
    source = """
        import sys
        from pathlib import Path
        from orion_nb.store.keeper import Keeper
        keeper = Keeper(Path(sys.argv[1]))
        print("ready", flush=True)
        sys.stdin.readline()
        print([keeper.save((n, "x" * 1000)).to_text() for n in range(200)])
    """
    processes = [script(source, home) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    texts = [finish(process) for process in processes]
    assert texts[0] == texts[1]
    references = [json.loads(text) for text in eval(texts[0])]
    assert len(written(home / "results")) == len(references) == 200
    assert {path.name for path in written(home / "results")} == {one["key"] for one in references}
