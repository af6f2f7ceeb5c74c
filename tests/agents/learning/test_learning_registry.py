"""Learned policies by name: registered whole, found, promoted, sent to others."""

import json
import shutil
import tarfile
import zipfile
from io import BytesIO

import pytest

from agents.registry import archive
from agents.registry.audit_log import FILE, Action
from agents.registry.registry import FOLDER, Registry, at, default, resolve
from agents.serving.artifact import LARGEST, MANIFEST, WEIGHTS
from scheduler.domain.errors import InputError, MissingError, StateError
from tests.agents.learning.world import saved


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "data", tmp_path / "shipped")


@pytest.fixture
def shipped(tmp_path):
    return saved(tmp_path / "shipped" / "fulcrum")


def added(registry, folder, name="ours", seed=0):
    return registry.add(name, *archive.unpack(saved(folder / f"seed-{seed}", seed)), "the command")


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
    assert [event.deed for event in registry.ledger.events()] == [Action.REGISTERED]


def test_a_name_is_its_newest_version_until_one_is_promoted(registry, tmp_path):
    first, second = (added(registry, tmp_path, seed=seed) for seed in (0, 1))
    assert registry.find("ours") == second
    promoted = registry.promote(first, "promote it", forced=True, trial={"passed": False})
    assert promoted.promoted
    assert registry.find("ours") == registry.incumbent() == promoted
    event = registry.history(first)[-1]
    assert (event.deed, event.forced, event.trial) == (Action.PROMOTED, True, {"passed": False})
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
    with pytest.raises(InputError, match="no name for a policy"):
        added(registry, tmp_path, name)


def test_what_cannot_be_loaded_is_not_registered(registry, tmp_path):
    weights, manifest = archive.unpack(saved(tmp_path / "one"))
    with pytest.raises(InputError, match="is not the file that"):
        registry.add("ours", weights + b"x", manifest)
    assert registry.entries() == ()
    assert not list((tmp_path / "data" / FOLDER).iterdir())


@pytest.mark.parametrize("file", [WEIGHTS, MANIFEST])
def test_files_that_have_changed_are_refused_and_repaired(registry, tmp_path, file):
    entry = added(registry, tmp_path)
    (entry.folder / file).write_bytes((entry.folder / file).read_bytes() + b" ")
    with pytest.raises(InputError, match="not those that were registered"):
        registry.policy("ours")
    assert "not those that were registered" in registry.entries()[0].summary()
    added(registry, tmp_path)
    assert registry.find("ours").fault() == ""


def test_a_damaged_ledger_is_told_and_not_overwritten(registry, tmp_path):
    entry = added(registry, tmp_path)
    ledger = tmp_path / "data" / FOLDER / FILE
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


@pytest.mark.parametrize("name", ["p.tar.gz", "p.tgz", "p.zip"])
def test_archives_bring_back_what_was_packed(tmp_path, name):
    folder = saved(tmp_path / "one")
    archive.pack(folder, tmp_path / name)
    assert archive.unpack(tmp_path / name) == archive.unpack(folder)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(StateError, match="exists already"):
        archive.pack(folder, tmp_path / name)
    archive.pack(folder, tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_bytes() == before


def tarred(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, BytesIO(content))


def zipped(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)


@pytest.mark.parametrize("name", ["../policy.onnx", "/policy.onnx", "x/policy.onnx", "other.py"])
def test_archives_with_anything_else_are_refused(tmp_path, name):
    tarred(tmp_path / "a.tar.gz", (tarfile.TarInfo(name), b"x"))
    zipped(tmp_path / "a.zip", (name, b"x"))
    for file in ("a.tar.gz", "a.zip"):
        with pytest.raises(InputError, match="it holds"):
            archive.unpack(tmp_path / file)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_links_and_folders_are_refused(tmp_path, kind):
    member = tarfile.TarInfo(WEIGHTS)
    member.type, member.linkname = kind, "/etc/passwd"
    tarred(tmp_path / "a.tar.gz", (member, b""))
    with pytest.raises(InputError, match="it holds"):
        archive.unpack(tmp_path / "a.tar.gz")


def test_bombs_stubs_and_noise_are_refused(tmp_path):
    bomb = bytes(LARGEST + 1)
    zipped(tmp_path / "a.zip", (WEIGHTS, bomb), (MANIFEST, b"{}"))
    tarred(tmp_path / "a.tgz", (tarfile.TarInfo(WEIGHTS), bomb), (tarfile.TarInfo(MANIFEST), b"{}"))
    for file in ("a.zip", "a.tgz"):
        with pytest.raises(InputError, match="more than"):
            archive.unpack(tmp_path / file)
    zipped(tmp_path / "b.zip", (WEIGHTS, b""))
    with pytest.raises(InputError, match=r"no manifest\.json"):
        archive.unpack(tmp_path / "b.zip")
    whole = (tmp_path / "a.tgz").read_bytes()
    for name, content in {"c.tgz": b"noise", "d.zip": b"noise", "e.tgz": whole[:200]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="refused"):
            archive.unpack(tmp_path / name)
    for name in ("none.zip", "none.tar"):
        with pytest.raises(InputError):
            archive.unpack(tmp_path / name)


def test_the_ledger_is_one_json_file(registry, tmp_path):
    added(registry, tmp_path)
    content = json.loads((tmp_path / "data" / FOLDER / FILE).read_text())
    assert content["events-1"][0]["command"] == "the command"
