"""What is sure of a storage, whatever its URL."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from scheduler.domain.errors import InputError
from scheduler.ownership.fences import Owner, SupersededError
from scheduler.storage import stored_folders
from scheduler.storage.growing_files import PIECE, GrowingFile, pieces, receive
from scheduler.storage.job_storage import JobStorage
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import FolderWriter, fetch, newest

_NUMBERS = itertools.count(1)


@pytest.fixture(params=["memory", "file", "s3"])
def storage(request, tmp_path: Path) -> ObjectStorage:
    if request.param == "s3":
        return ObjectStorage(request.getfixturevalue("s3_url"))
    memory = f"memory://storage-{next(_NUMBERS)}"
    return ObjectStorage(memory if request.param == "memory" else f"file://{tmp_path}/storage")


def allow() -> None:
    """The attempt is the newest."""


def writer(storage: ObjectStorage, number: int, folder: Path) -> FolderWriter:
    folder.mkdir(exist_ok=True)
    return FolderWriter(storage, "17/checkpoints", number, folder, folder.with_name("spare"))


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_object_is_there_whole_or_not_at_all(storage: ObjectStorage, tmp_path: Path) -> None:
    assert storage.get("a/b") is None
    assert storage.sizes("a") == {}
    storage.put("a/b", b"one")
    storage.put("a/b", b"three")
    source = tmp_path / "source"
    source.write_bytes(b"four")
    storage.put_file("a/c/d", source)
    assert storage.get("a/b") == b"three"
    assert dict(storage.sizes("a")) == {"b": 5, "c/d": 4}
    storage.get_file("a/c/d", tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == b"four"
    with pytest.raises(FileNotFoundError):
        storage.get_file("a/none", tmp_path / "none")
    storage.move("a", "b")
    storage.remove("b/c")
    storage.remove("b/c")
    assert dict(storage.sizes("b")) == {"b": 5}
    assert storage.sizes("a") == {}


def test_a_url_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        ObjectStorage("nothing://bucket")
    assert "s3://bucket" in caught.value.fields["storage"]


def test_a_log_grows_on_both_sides_and_a_cut_is_followed(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    path, copy = tmp_path / "log.txt", tmp_path / "copy" / "log.txt"
    sender = GrowingFile(storage, "17/log.txt", path)
    sender.send()

    def carried() -> None:
        sender.send()
        for name, sizes in pieces(storage.sizes("17")).items():
            assert name == "log.txt"
            receive(storage, "17/log.txt", sizes, copy)
        assert copy.read_bytes() == path.read_bytes()

    for data in (b"first\n", b"x" * (PIECE - 6), b"y", b"z" * (2 * PIECE), b"last\n"):
        with path.open("ab") as file:
            file.write(data)
        carried()
    assert len(storage.sizes("17")) == 4
    path.write_bytes(b"the middle was left out\n")
    carried()
    # A later carrier goes on where this one was.
    sender = GrowingFile(storage, "17/log.txt", path)
    with path.open("ab") as file:
        file.write(b"more\n")
    carried()


def test_a_folder_is_read_as_it_was_at_one_moment(storage: ObjectStorage, tmp_path: Path) -> None:
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    one = writer(storage, 1, folder)
    assert one.save(allow)
    assert not fetch(storage, "17/checkpoints", copy)
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_text("one")
    (folder / "b").write_text("two")
    (folder / ".b.tmp").write_text("a draft")
    (folder / "link").symlink_to("/etc/passwd")
    assert one.save(allow)
    (folder / "b").unlink()
    (folder / "c").write_text("three")

    def refuse() -> None:
        raise SupersededError("attempt 2 took over")

    with pytest.raises(SupersededError):
        one.save(refuse)
    assert fetch(storage, "17/checkpoints", copy)
    assert content(copy) == {"b": "two", "sub/a": "one"}
    assert (copy / "b").stat().st_mtime_ns == newest(storage, "17/checkpoints")[1]["b"].mtime_ns
    assert writer(storage, 1, folder).save(allow)
    (_, files) = newest(storage, "17/checkpoints")
    assert sorted(files) == ["c", "sub/a"]
    assert len(storage.sizes("17/checkpoints")) == 3


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_look(
    storage: ObjectStorage, tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "folder"
    one = writer(storage, 1, folder)
    (folder / "state").write_text("half")
    put_file = storage.put_file

    def write_meanwhile(name: str, source: Path) -> None:
        put_file(name, source)
        with (folder / "state").open("a") as file:
            file.write(" whole")

    monkeypatch.setattr(storage, "put_file", write_meanwhile)
    assert not one.save(allow)
    assert newest(storage, "17/checkpoints")[1] == {}
    monkeypatch.undo()
    assert one.save(allow)
    fetch(storage, "17/checkpoints", tmp_path / "copy")
    assert content(tmp_path / "copy") == {"state": "half whole"}


def test_an_attempt_that_was_given_up_changes_nothing_of_a_newer_one(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    old, new = writer(storage, 1, tmp_path / "old"), writer(storage, 2, tmp_path / "new")
    (tmp_path / "old" / "epoch-1").write_text("1")
    old.save(allow)
    fetch(storage, "17/checkpoints", tmp_path / "new")
    new.fetched()
    assert new.save(allow)
    assert newest(storage, "17/checkpoints")[0] == "17/checkpoints/1"
    (tmp_path / "new" / "epoch-2").write_text("2")
    assert new.save(allow)
    (tmp_path / "old" / "epoch-9").write_text("stale")
    old.save(allow)
    own, files = newest(storage, "17/checkpoints")
    assert (own, sorted(files)) == ("17/checkpoints/2", ["epoch-1", "epoch-2"])


def test_only_the_newest_attempt_of_a_job_owns_it(storage: ObjectStorage) -> None:
    first, second = (
        JobStorage(storage, "17", "j", Owner(f"17.{number}", "n")) for number in (1, 2)
    )
    first.take()
    first.check()
    second.take()
    second.check()
    with pytest.raises(SupersededError, match="attempt 2 took over"):
        first.check()
    with pytest.raises(SupersededError):
        first.take()
    other = JobStorage(storage, "17", "another job", Owner("17.1", "n"))
    other.take()
    other.check()
    moved = [name for name in storage.sizes("jobs") if ".before-" in name]
    assert len(moved) == 2


def test_what_was_pruned_is_gone_and_the_rest_stays(storage: ObjectStorage, tmp_path: Path) -> None:
    folder, stub = tmp_path / "folder", tmp_path / "stub"
    one = writer(storage, 1, folder)
    for name in ("model.pt", "table.csv"):
        (folder / name).write_text(name)
    one.save(allow)
    stored_folders.drop(storage, "17/checkpoints", lambda name: name == "model.pt", stub)
    assert stored_folders.holds(stub, "table.csv")
    assert not stored_folders.holds(stub, "model.pt")
    assert len(storage.sizes("17/checkpoints")) == 2
