"""A service that had a Ray cluster has it again at its next start, unless told otherwise."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from api.cli.commands.machine.serve import _ray_head
from scheduler import bootstrap, settings
from scheduler.domain import transitions
from scheduler.domain.errors import StateError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.node import engine, head_address
from scheduler.store.sql.store import SqlStore
from scheduler.testing.samples import ESTIMATE, submitted


@pytest.fixture(autouse=True)
def heads(monkeypatch) -> list[str]:
    """The heads that would have been started."""
    found: list[str] = []

    def start(host: str, port: int, _: Path) -> str:
        found.append(f"{host}:{port}")
        return found[-1]

    monkeypatch.setattr(engine, "start_head", start)
    return found


def start(data: Path, *options, **given: str) -> str | None:
    """What `fulcrum serve` does about the head before and after it has begun."""
    head = _ray_head(loaded(data, **given), *options)
    head_address.keep(data, head)
    return head


def loaded(data: Path, **given: str) -> settings.Settings:
    return settings.load(overrides={"data_dir": data, **given})


def test_the_next_start_needs_no_option(tmp_path: Path, heads: list[str]) -> None:
    assert start(tmp_path, None, None, None) is None
    assert start(tmp_path, None, None, 6455) == "127.0.0.2:6455"
    assert start(tmp_path, None, None, None) == "127.0.0.2:6455"
    assert start(tmp_path, True, "127.0.0.5", None) == "127.0.0.5:6455"
    assert start(tmp_path, None, None, None) == "127.0.0.5:6455"
    assert len(heads) == 4


def test_what_the_settings_say_counts_more(tmp_path: Path, heads: list[str]) -> None:
    start(tmp_path, True, None, None)
    for kind in ("local", "ray"):
        assert _ray_head(loaded(tmp_path, **{"executor.kind": kind}), None, None, None) is None
    assert heads == ["127.0.0.2:6379"]


def test_the_head_of_another_machine_is_not_started_here(tmp_path: Path, heads: list[str]) -> None:
    """A standby has the data folder of a service on another machine."""
    head_address.keep(tmp_path, "192.0.2.1:6379")
    assert start(tmp_path, None, None, None) == "192.0.2.1:6379"
    assert heads == []


def test_no_ray_ends_it(tmp_path: Path) -> None:
    start(tmp_path, True, None, None)
    assert start(tmp_path, False, None, None) is None
    assert head_address.read(tmp_path) is None
    assert start(tmp_path, None, None, None) is None


@pytest.mark.parametrize("on_ray", [True, False])
def test_a_start_that_could_not_see_running_jobs_is_refused(tmp_path: Path, on_ray: bool) -> None:
    configured = loaded(tmp_path, **{"executor.kind": "ray" if on_ray else "local"})
    pool = Pool("cpu", DeviceKind.CPU, "Test CPU", 2)
    with closing(SqlStore(configured.database)) as store:
        (job,) = submitted(store)
        nodes = ("local",) if on_ray else ("gpu-a",)
        change, _ = transitions.placed(job, pool, (0,), ESTIMATE, 2.0, "first", nodes=nodes)
        assert store.record([change]) == [True]
        bootstrap._check_reach(store, on_ray=not on_ray)
    with pytest.raises(StateError, match="1 job of this service ran") as raised:
        bootstrap.build(configured)
    assert "--abandon" in next(iter(raised.value.fields.values()))
