from pathlib import Path

import pytest

from scheduler import settings
from scheduler.domain.errors import InputError
from scheduler.store.sql import SqlStore


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """An empty working folder, home and environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "FULCRUM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_defaults(place):
    found = settings.load()
    assert (found.host, found.port) == ("127.0.0.1", 8470)
    assert found.data_dir == place / "home/.local/share/fulcrum"
    assert found.database == f"sqlite:///{place}/home/.local/share/fulcrum/fulcrum.sqlite"


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b", "a@b:c", "ä", "?mode=ro"])
def test_the_database_lies_in_a_data_folder_of_any_name(place, name):
    found = settings.load(overrides={"data_dir": place / name})
    store = SqlStore(found.database)
    store.close()
    assert [path.name for path in place.glob("*/*.sqlite")] == ["fulcrum.sqlite"]
    assert (place / name / "fulcrum.sqlite").is_file()


def test_arguments_go_before_variables_before_the_file_before_defaults(place, monkeypatch):
    (place / "fulcrum.toml").write_text(
        'port = 1\nhost = "file"\npolicy = "sjf"\n[executor]\ngrace_s = 1\nwarm_workers = 7\n'
    )
    monkeypatch.setenv("FULCRUM_PORT", "2")
    monkeypatch.setenv("FULCRUM_HOST", "variable")
    monkeypatch.setenv("FULCRUM_EXECUTOR__GRACE_S", "2")
    found = settings.load(overrides={"port": 3, "host": None})
    assert (found.port, found.host, found.policy, found.backfilling) == (
        3, "variable", "sjf", "easy",
    )  # fmt: skip
    assert (found.executor.grace_s, found.executor.warm_workers) == (2, 7)
    assert settings.load(overrides={"executor.grace_s": 3}).executor.grace_s == 3
    assert settings.load().port == 2


def test_where_the_file_is_found(place, monkeypatch):
    def written(path: Path, port: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"port = {port}\n")
        return path

    written(place / "home/.config/fulcrum/fulcrum.toml", 1)
    assert settings.load().port == 1
    written(place / "fulcrum.toml", 2)
    assert settings.load().port == 2
    monkeypatch.setenv("FULCRUM_CONFIG", str(written(place / "third.toml", 3)))
    assert settings.load().port == 3
    assert settings.load(written(place / "fourth.toml", 4)).port == 4


def test_tables_in_variables(monkeypatch):
    monkeypatch.setenv("FULCRUM_POOLS__CPU__DEVICES", "1")
    monkeypatch.setenv("FULCRUM_PROJECTS", '{"vision": {"preference": "fast"}}')
    found = settings.load()
    assert found.pools["cpu"].devices == 1
    assert found.projects["vision"].preference == 1


def test_preference_by_name_or_number_per_project_or_for_all():
    found = settings.load(
        overrides={"preference": "cheap", "projects": {"a": {"preference": 0.8}, "b": {}}}
    )
    assert [one.preference for one in (found, *found.projects.values())] == [0, 0.8, None]
    assert settings.load(overrides={"preference": "Balanced"}).preference == 0.5
    assert settings.load(overrides={"preference": "0.25"}).preference == 0.25


def test_sizes_and_paths_are_read_as_people_write_them(place):
    found = settings.load(overrides={"max_body_bytes": "2MiB", "data_dir": "~/here"})
    assert found.max_body_bytes == 2 * 2**20
    assert found.data_dir == place / "home/here"
    assert settings.load(overrides={"data_dir": "there"}).data_dir == place / "there"
    assert settings.load(overrides={"database_url": "postgresql://x/y"}).database.startswith("post")


@pytest.mark.parametrize(
    ("overrides", "field", "advice"),
    [
        ({"prot": 1}, "prot", "did you mean 'port'?"),
        (
            {"executor.grace": 1},
            "executor.grace",
            "legal: kind, grace_s, pass_env, max_log",
        ),
        ({"pools.cpu.price": 1}, "pools.cpu.price", "legal: enabled, kind, model, devices"),
        ({"projects.a.dial": 1}, "projects.a.dial", "legal: preference"),
        ({"hardware.cores": 1}, "hardware.cores", "legal: detect, reserved_cores"),
        ({"port": -1}, "port", "at least 0, not -1"),
        ({"port": 65536}, "port", "at most 65535"),
        ({"port": "http"}, "port", "whole number"),
        ({"host": ""}, "host", "should not be empty"),
        ({"backfilling": "hard"}, "backfilling", "legal: none, easy"),
        ({"preference": "quick"}, "preference", "cheap, balanced, fast nor a number from 0 to 1"),
        ({"preference": 1.5}, "preference", "at most 1"),
        ({"projects.a.preference": "x"}, "projects.a.preference", "cheap, balanced, fast"),
        ({"starvation_s": -1}, "starvation_s", "at least 0"),
        ({"starvation_s": float("inf")}, "starvation_s", "finite"),
        ({"default_runtime_s": 0}, "default_runtime_s", "more than 0"),
        ({"max_body_bytes": 10}, "max_body_bytes", "1024"),
        ({"max_body_bytes": "4 bananas"}, "max_body_bytes", "a size, such as 512MiB"),
        ({"executor": 3}, "executor", "should be a table, not 3"),
        ({"pools": []}, "pools", "should be a table"),
        ({"executor.warm_workers": -1}, "executor.warm_workers", "at least 0"),
        ({"hardware.reserved_memory": 1}, "hardware.reserved_memory", "0.95"),
        ({"hardware.reserved_cores": 1.5}, "hardware.reserved_cores", "whole number"),
        ({"pools": {"Big One": {}}}, "pools.Big One", "lower-case letters"),
        ({"pools.x.kind": "tpu"}, "pools.x.kind", "legal: cpu, cuda"),
        ({"pools.x.devices": 0}, "pools.x.devices", "at least 1"),
        ({"pools.x.memory": "lots"}, "pools.x.memory", "a size, such as 512MiB"),
        ({"pools.x.dollars_per_device_hour": -1}, "pools.x.dollars_per_device_hour", "at least 0"),
        ({"pools.x.flops_per_device": 0}, "pools.x.flops_per_device", "more than 0"),
        ({"pools.x.enabled": "perhaps"}, "pools.x.enabled", "true or false"),
    ],
)
def test_wrong_values_are_named_with_what_is_right(overrides, field, advice):
    with pytest.raises(InputError) as caught:
        settings.load(overrides=overrides)
    assert list(caught.value.fields) == [field]
    assert advice in caught.value.fields[field]
    assert field in caught.value.message


def test_all_wrong_values_are_told_at_once_with_the_file(place):
    (place / "fulcrum.toml").write_text('port = "x"\nhots = "y"\n')
    with pytest.raises(InputError) as caught:
        settings.load()
    assert set(caught.value.fields) == {"port", "hots"}
    assert "fulcrum.toml" in caught.value.message


@pytest.mark.parametrize("text", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_a_file_that_is_not_toml(place, text):
    (place / "bad.toml").write_bytes(text)
    with pytest.raises(InputError, match="is not TOML"):
        settings.load(place / "bad.toml")


def test_a_named_file_must_exist(place, monkeypatch):
    with pytest.raises(InputError, match="no settings file"):
        settings.load(place / "missing.toml")
    monkeypatch.setenv("FULCRUM_CONFIG", "missing.toml")
    with pytest.raises(InputError, match="no settings file"):
        settings.load()


def test_wrong_variables_are_told_too(monkeypatch):
    monkeypatch.setenv("FULCRUM_EXECUTOR__GRACE", "1")
    with pytest.raises(InputError, match=r"executor\.grace"):
        settings.load()
    monkeypatch.delenv("FULCRUM_EXECUTOR__GRACE")
    monkeypatch.setenv("FULCRUM_POOLS", "{not json")
    with pytest.raises(InputError, match="environment variable"):
        settings.load()


def test_variables_of_the_client_are_not_settings(monkeypatch):
    monkeypatch.setenv("FULCRUM_TOKEN", "secret")
    monkeypatch.setenv("FULCRUM_URL", "http://x")
    assert settings.load().port == 8470
