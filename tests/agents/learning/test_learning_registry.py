"""Learned policies by name: registered whole, found, promoted, sent to others."""

import json
import shutil
import tarfile
import zipfile
from io import BytesIO

import pytest

from agents.registry.audit_log import FILE as LOG
from agents.registry.audit_log import AuditAction
from agents.registry.old_archive import converted
from agents.registry.registry import FOLDER, Registry, at, default, resolve
from agents.serving.artifact import FILE, LARGEST, OLD_MANIFEST, content_of, pack, unpack
from scheduler.domain.errors import InputError, MissingError, StateError
from tests.support.learning_world import saved


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "data", tmp_path / "shipped")


@pytest.fixture
def shipped(tmp_path):
    return saved(tmp_path / "shipped" / "fulcrum")


def added(registry, folder, name="ours", seed=0):
    return registry.import_file(saved(folder / f"seed-{seed}", seed), name, "the command")


def test_an_empty_registry(registry):
    assert registry.entries() == ()
    assert registry.incumbent() is None
    with pytest.raises(MissingError, match="no learned policy 'ours'") as caught:
        registry.find("ours")
    assert "none is registered" in caught.value.fields["policy"]


def test_what_is_registered_is_found_by_name_and_digest(registry, tmp_path):
    one = added(registry, tmp_path)
    assert (one.name, one.state, one.fault()) == ("ours", "candidate", "")
    assert one.reference == f"learned:ours@{one.digest}"
    assert registry.find("ours") == registry.find(one.reference) == one
    assert registry.find(f"ours@{one.digest[:5]}") == one
    assert registry.policy("ours").name == one.reference
    assert added(registry, tmp_path) == one  # again: no second entry
    assert [event.action for event in registry.audit_log.events()] == [AuditAction.REGISTERED]


def test_a_name_is_its_newest_version_until_one_is_promoted(registry, tmp_path):
    first, second = (added(registry, tmp_path, seed=seed) for seed in (0, 1))
    assert registry.find("ours") == second
    promoted = registry.promote(first, "promote it", forced=True, trial={"passed": False})
    assert promoted.promoted
    assert registry.find("ours") == registry.incumbent() == promoted
    event = registry.history(first)[-1]
    assert (event.action, event.forced, event.trial) == (
        AuditAction.PROMOTED,
        True,
        {"passed": False},
    )
    assert event.by
    assert event.at.endswith("+00:00")
    registry.promote(registry.find(second.reference), forced=False)
    assert [entry.promoted for entry in registry.entries()] == [False, True]


def test_shipped_policies_come_first_and_keep_their_name(registry, shipped, tmp_path):
    entry = registry.find("fulcrum")
    assert (entry.reference, entry.shipped) == ("learned:fulcrum", True)
    assert registry.incumbent() == entry  # until another is promoted
    with pytest.raises(StateError, match="name of a shipped policy"):
        added(registry, tmp_path, "fulcrum")
    own = registry.promote(added(registry, tmp_path, "abc"), forced=False)
    assert [one.reference for one in registry.entries()] == ["learned:fulcrum", own.reference]
    assert registry.incumbent() == own
    assert registry.promote(registry.find("fulcrum"), forced=True) == registry.incumbent()


def test_a_test_against_a_former_incumbent_promotes_nobody(registry, tmp_path):
    first, second, third = (added(registry, tmp_path, seed=seed) for seed in (0, 1, 2))
    first = registry.promote(first, forced=False)
    second = registry.promote(second, forced=False, instead=first)
    with pytest.raises(StateError, match=f"{second.reference} was promoted meanwhile"):
        registry.promote(third, forced=False, instead=first)
    assert registry.incumbent() == second
    assert registry.promote(third, forced=True, instead=first) == registry.incumbent()


def test_an_incumbent_that_is_gone_is_followed_by_the_one_before(registry, shipped, tmp_path):
    first, second = (added(registry, tmp_path, seed=seed) for seed in (0, 1))
    for one in (first, second):
        registry.promote(one, forced=True)
    shutil.rmtree(second.folder)
    assert registry.incumbent().key == first.key
    shutil.rmtree(first.folder)
    assert registry.incumbent() == registry.find("fulcrum")


@pytest.mark.parametrize("name", ["", "Ours", "../x", "a/b", ".hidden", "a" * 61, "a@b"])
def test_illegal_names_are_refused(registry, tmp_path, name):
    with pytest.raises(InputError, match="not a valid policy name"):
        added(registry, tmp_path, name)


def test_what_cannot_be_loaded_is_not_registered(registry, tmp_path):
    weights, manifest = unpack(content_of(saved(tmp_path / "one")))
    with pytest.raises(InputError, match="not those that its manifest describes"):
        registry.add("ours", pack(weights + b"\x12\x00", manifest))
    assert registry.entries() == ()
    assert not (tmp_path / "data" / FOLDER).exists()


@pytest.mark.parametrize("change", [lambda content: content + b" ", lambda content: content[:-9]])
def test_files_that_have_changed_are_refused_and_repaired(registry, tmp_path, change):
    entry = added(registry, tmp_path)
    (entry.folder / FILE).write_bytes(change((entry.folder / FILE).read_bytes()))
    with pytest.raises(InputError, match="not the one that was registered"):
        registry.policy("ours")
    assert "not the one that was registered" in registry.entries()[0].summary()
    added(registry, tmp_path)
    assert registry.find("ours").fault() == ""


def test_a_damaged_ledger_is_told_and_not_overwritten(registry, tmp_path):
    entry = added(registry, tmp_path)
    ledger = tmp_path / "data" / FOLDER / LOG
    ledger.write_text("{")
    for act in (registry.entries, lambda: registry.promote(entry, forced=True)):
        with pytest.raises(InputError, match="damaged"):
            act()
    assert ledger.read_text() == "{"


def test_paths_are_for_command_lines_only(registry, tmp_path, monkeypatch):
    saved(tmp_path / "runs" / "best")
    monkeypatch.chdir(tmp_path / "runs")
    for path in ("./best", str(tmp_path / "runs" / "best")):
        assert resolve(path, registry).name == f"learned:{path}"
        with pytest.raises(MissingError, match="only registered policies"):
            registry.policy(path)
    with pytest.raises(MissingError) as caught:
        resolve("best", registry)
    assert "learned:./best" in caught.value.fields["policy"]


def test_the_data_folder_of_the_settings_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("FULCRUM_DATA_DIR", str(tmp_path / "one"))
    assert default().folder == tmp_path / "one" / FOLDER
    with at(tmp_path / "two"):
        assert default().folder == tmp_path / "two" / FOLDER
    assert default().folder == tmp_path / "one" / FOLDER


def old(folder):
    """The artifact in the two files of the old format."""
    content = unpack((folder / FILE).read_bytes())
    for name, part in zip((FILE, OLD_MANIFEST), content, strict=True):
        (folder / name).write_bytes(part)
    return folder


def tarred(*members):
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return file.getvalue()


def zipped(*members):
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def test_an_exported_policy_is_imported_as_the_same_entry(registry, tmp_path):
    entry = added(registry, tmp_path)
    exported, content = registry.export("ours")
    assert exported == entry
    (tmp_path / "Theirs.v2.onnx").write_bytes(content)
    again = registry.import_file(tmp_path / "Theirs.v2.onnx")
    assert (again.name, again.digest) == ("theirs", entry.digest)
    with pytest.raises(MissingError, match="there is no"):
        registry.import_file(tmp_path / "nothing.onnx")


def test_old_folders_and_archives_are_the_same_entry(registry, tmp_path):
    entry = added(registry, tmp_path)
    folder = old(saved(tmp_path / "old"))
    assert registry.import_file(folder, "ours") == entry
    parts = [(name, (folder / name).read_bytes()) for name in (FILE, OLD_MANIFEST)]
    tar = tarred(*((tarfile.TarInfo(name), content) for name, content in parts))
    for content in (zipped(*parts), tar):
        assert registry.add("ours", content) == entry
    # An entry that an older version registered.
    old(entry.folder)
    assert registry.find("ours").fault() == ""
    assert registry.export("ours")[1] == content_of(folder)


@pytest.mark.parametrize("name", ["../policy.onnx", "/policy.onnx", "x/policy.onnx", "other.py"])
def test_archives_with_anything_else_are_refused(name):
    for content in (tarred((tarfile.TarInfo(name), b"x")), zipped((name, b"x"))):
        with pytest.raises(InputError, match="it holds"):
            converted(content)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_links_and_folders_are_refused(kind):
    member = tarfile.TarInfo(FILE)
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(InputError, match="it holds"):
        converted(tarred((member, b"")))


def test_bombs_stubs_and_noise_are_refused(registry):
    bomb = bytes(LARGEST + 1)
    tar = tarred((tarfile.TarInfo(FILE), bomb), (tarfile.TarInfo(OLD_MANIFEST), b"{}"))
    for content in (zipped((FILE, bomb), (OLD_MANIFEST, b"{}")), tar, bomb):
        with pytest.raises(InputError, match="more than"):
            registry.add("ours", content)
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        converted(zipped((FILE, b"")))
    for content in (b"PK noise", b"\x1f\x8b noise", tar[:200], b"", b"\xff" * 99, b"\x72\x05"):
        with pytest.raises(InputError, match="refused"):
            registry.add("ours", content)


def test_the_ledger_is_one_json_file(registry, tmp_path):
    added(registry, tmp_path)
    content = json.loads((tmp_path / "data" / FOLDER / LOG).read_text())
    assert content["events-1"][0]["command"] == "the command"
