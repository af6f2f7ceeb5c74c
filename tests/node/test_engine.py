"""Ray is started with a token, and listens nowhere unless told."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler import settings
from scheduler.domain.errors import InputError, StateError
from scheduler.executors.cluster import ClusterExecutor
from scheduler.executors.local import LocalExecutor
from scheduler.executors.ray import RayTransport
from scheduler.node import engine, ray_command, storage_check
from scheduler.node.executor import namespace, runner
from scheduler.node.mirroring_executor import MirroringExecutor
from scheduler.storage.objects import ObjectStorage


@pytest.fixture
def started(monkeypatch) -> list[tuple[list[str], dict[str, str]]]:
    """What would have been run."""
    found: list[tuple[list[str], dict[str, str]]] = []

    def run(words, env, **_):
        if words[0] != "health-check":
            found.append((list(words), dict(env)))

    monkeypatch.setattr(ray_command, "run", run)
    return found


def test_the_token_is_made_once_and_is_private(tmp_path: Path) -> None:
    made = engine.token_file(tmp_path)
    text = made.read_text()
    assert len(text) == 64
    assert made.stat().st_mode & 0o077 == 0
    assert engine.token_file(tmp_path).read_text() == text


def test_a_head_listens_on_this_machine_alone_unless_told(tmp_path: Path, started) -> None:
    token = engine.token_file(tmp_path)
    assert engine.start_head(engine.THIS_MACHINE, 1, token) == "127.0.0.2:1"
    ((arguments, variables),) = started
    assert "--node-ip-address=127.0.0.2" in arguments
    assert "--num-cpus=0" in arguments
    assert variables["RAY_AUTH_MODE"] == "token"
    assert variables["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert variables["RAY_worker_oom_score_adjustment"] == "0"


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("127.0.0.2:6379", True),
        ("[::1]:6379", False),
        ("127.0.0.1:6379", False),
        ("localhost:6379", False),
        ("10.0.0.5:6379", False),
        ("head.example.org:6379", False),
        ("auto", False),
    ],
)
def test_which_addresses_are_for_this_machine_alone(address: str, alone: bool) -> None:
    """Ray takes all names of this machine for its outer address, but 127.0.0.2 as it is."""
    assert engine.for_this_machine_alone(address) is alone


def test_the_environment_may_have_the_token(tmp_path: Path) -> None:
    file, home = tmp_path / "token", str(tmp_path / "home")
    mode = {"RAY_AUTH_MODE": "token", "HOME": home}
    assert not engine.environment_has_token({})
    assert not engine.environment_has_token({"RAY_AUTH_TOKEN": "secret", "HOME": home})
    assert not engine.environment_has_token(mode)
    assert engine.environment_has_token(mode | {"RAY_AUTH_TOKEN": "secret"})
    assert not engine.environment_has_token(mode | {"RAY_AUTH_TOKEN_PATH": str(file)})
    file.write_text("secret")
    assert engine.environment_has_token(mode | {"RAY_AUTH_TOKEN_PATH": str(file)})
    (tmp_path / "home" / ".ray").mkdir(parents=True)
    (tmp_path / "home" / ".ray" / "auth_token").write_text("secret")
    assert engine.environment_has_token(mode)


def test_a_node_joins_under_its_name(tmp_path: Path, started, monkeypatch) -> None:
    monkeypatch.setattr(engine, "_taken", lambda *_: True)
    engine.join("10.0.0.5:6379", "gpu-a", engine.token_file(tmp_path), "127.0.0.11")
    assert started[0][0] == [
        "start",
        "--address=10.0.0.5:6379",
        "--labels=fulcrum/node=gpu-a",
        "--node-ip-address=127.0.0.11",
    ]


def test_a_node_without_the_token_is_told_where_it_is(tmp_path: Path, started) -> None:
    with pytest.raises(InputError, match="is missing") as raised:
        engine.join("10.0.0.5:6379", "gpu-a", tmp_path / "token")
    assert raised.value.fields == {"token": "a copy of ray/token in the service's data folder"}
    assert not started


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"name": "gpu a"}, "name", "'gpu a' is no name for a node"),
        ({"name": "a" * 64}, "name", "is no name for a node"),
        ({"pool": "-fast"}, "pool", "'-fast' is no name for a pool"),
        ({"host": "192.0.2.1"}, "host", "192.0.2.1 is no address of this machine"),
        ({"host": "no.such.host.invalid"}, "host", "is no address of this machine"),
    ],
)
def test_wrong_words_are_found_before_ray_is_started(
    tmp_path: Path, started, given, field: str, text: str
) -> None:
    words = {"name": "a", "token": engine.token_file(tmp_path), **given}
    with pytest.raises(InputError, match=text) as raised:
        engine.join("127.0.0.2:6379", **words)
    assert set(raised.value.fields) == {field}
    assert not started


def test_settings_choose_the_executor(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray_command, "find_spec", lambda _: True)
    for kind, concrete in (("local", LocalExecutor), ("ray", ClusterExecutor)):
        chosen = settings.load(overrides={"data_dir": tmp_path, "executor.kind": kind})
        made = runner(chosen).executor
        assert isinstance(made, concrete)
        made.close()


def test_a_storage_is_used_on_ray_and_refused_on_one_machine(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray_command, "find_spec", lambda _: True)
    given = {"data_dir": tmp_path / "data", "storage": f"file://{tmp_path}/storage"}
    made = runner(settings.load(overrides={**given, "executor.kind": "ray"}))
    assert isinstance(made.executor, MirroringExecutor)
    assert made.storage is not None
    assert made.storage.get(storage_check.MARK)
    made.executor.close()
    with pytest.raises(InputError) as caught:
        runner(settings.load(overrides=given))
    assert caught.value.fields == {"storage": "none, or executor.kind = ray"}


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/path", "/mnt/fulcrum", "bucket"])
def test_a_storage_is_a_url_without_secrets(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError) as caught:
        settings.load(overrides={"data_dir": tmp_path, "storage": url})
    assert "storage" in caught.value.fields


def test_a_node_with_another_storage_under_the_same_url_takes_no_jobs(tmp_path: Path) -> None:
    storage = ObjectStorage(f"file://{tmp_path}")
    mark = storage_check.mark(storage)
    assert storage_check.problem(storage, mark) == ""
    assert "is another storage there" in storage_check.problem(storage, "other")
    storage.remove(storage_check.MARK)
    assert "does not see the service's storage" in storage_check.problem(storage, mark)


def test_without_ray_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray_command, "find_spec", lambda _: None)
    there = settings.load(overrides={"data_dir": tmp_path, "executor.kind": "ray"})
    with pytest.raises(InputError, match="Ray is not installed"):
        runner(there)


def test_agents_of_other_services_are_a_warning(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray_command, "find_spec", lambda _: True)
    made = runner(settings.load(overrides={"data_dir": tmp_path, "executor.kind": "ray"}))
    assert list(made.warnings()) == []
    found = {"fulcrum-old": ["gpu-a", "gpu-b"]}
    monkeypatch.setattr(RayTransport, "foreign_agents", lambda _: found)
    made = runner(settings.load(overrides={"data_dir": tmp_path, "executor.kind": "ray"}))
    (problem,) = made.warnings()
    assert problem.text.startswith("gpu-a, gpu-b: agents of another service, fulcrum-old, are")
    assert "ray.linger_s" in problem.advice
    assert not problem.fatal


def test_services_of_different_databases_do_not_meet(tmp_path: Path) -> None:
    names = {
        namespace(settings.load(overrides={"data_dir": tmp_path / name})) for name in ("a", "b")
    }
    assert len(names) == 2
    named = settings.load(overrides={"data_dir": tmp_path, "ray.namespace": "team"})
    assert namespace(named) == "team"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1", "is not HOST:PORT"),
        ("127.0.0.1:70000", "is not HOST:PORT"),
        ("127.0.0.1:1", "nothing answers at"),
    ],
)
def test_a_wrong_address_is_told_at_once(tmp_path, address, said):
    token = tmp_path / "token"
    token.write_text("secret")
    with pytest.raises((InputError, StateError), match=said):
        engine.join(address, "a", token)
