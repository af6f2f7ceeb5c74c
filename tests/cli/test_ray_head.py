"""A service that had a Ray cluster has it again at its next start, unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.cli.commands.machine.serve import _ray_head
from scheduler import settings
from scheduler.node import engine, head_address


@pytest.fixture(autouse=True)
def heads(monkeypatch) -> list[str]:
    """The heads that would have been started."""
    found: list[str] = []

    def start(host: str, port: int, _: Path) -> str:
        found.append(f"{host}:{port}")
        return found[-1]

    monkeypatch.setattr(engine, "start_head", start)
    return found


def loaded(data: Path, **given: str) -> settings.Settings:
    return settings.load(overrides={"data_dir": data, **given})


def test_the_next_start_needs_no_option(tmp_path: Path, heads: list[str]) -> None:
    assert _ray_head(loaded(tmp_path), None, None, None) is None
    assert _ray_head(loaded(tmp_path), None, None, 6455) == "127.0.0.2:6455"
    assert _ray_head(loaded(tmp_path), None, None, None) == "127.0.0.2:6455"
    assert _ray_head(loaded(tmp_path), True, "127.0.0.5", None) == "127.0.0.5:6455"
    assert _ray_head(loaded(tmp_path), None, None, None) == "127.0.0.5:6455"
    assert len(heads) == 4


def test_what_the_settings_say_counts_more(tmp_path: Path, heads: list[str]) -> None:
    _ray_head(loaded(tmp_path), True, None, None)
    for kind in ("local", "ray"):
        assert _ray_head(loaded(tmp_path, **{"executor.kind": kind}), None, None, None) is None
    assert heads == ["127.0.0.2:6379"]


def test_the_head_of_another_machine_is_not_started_here(tmp_path: Path, heads: list[str]) -> None:
    """A standby has the data folder of a service on another machine."""
    head_address.write(tmp_path, "192.0.2.1:6379")
    assert _ray_head(loaded(tmp_path), None, None, None) == "192.0.2.1:6379"
    assert heads == []


def test_no_ray_ends_it(tmp_path: Path) -> None:
    _ray_head(loaded(tmp_path), True, None, None)
    assert _ray_head(loaded(tmp_path), False, None, None) is None
    assert head_address.read(tmp_path) is None
    assert _ray_head(loaded(tmp_path), None, None, None) is None
