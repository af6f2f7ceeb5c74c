"""Two real trainings on one device: the urgent one displaces the other, which loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from scheduler import bootstrap, settings
from scheduler.clock import SystemClock
from scheduler.domain.jobs import JobKind, JobSpec
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.executors.local import LocalExecutor
from scheduler.hardware.inventory import Inventory
from scheduler.service.service import Service
from scheduler.store.sql import SqlStore
from scheduler.workloads.spec.specs import profile
from tests.support.waiting import until

LONG = {
    "limit": 300,
    "epochs": 8,
    "batch_size": 8,
    "augmentation": {"flip": True, "rotation": 10},
    "seed": 5,
}
SHORT = {"limit": 20, "epochs": 1}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """One CPU; jobs of higher priority preempt at once."""
    preemption = {"mode": "priority", "min_runtime_s": 0, "grace_s": 300}
    given = settings.Settings(data_dir=tmp_path, policy="priority", preemption=preemption)
    pool = Pool("cpu", DeviceKind.CPU, "Test CPU", 1, flops_per_device=1e6)
    service = Service(
        bootstrap.components(
            given,
            SqlStore(given.database),
            LocalExecutor(tmp_path / "run", linger_s=1.0, spares=1, pin=False),
            Inventory((pool,), {"cpu": ("0",)}, {}, {}),
            SystemClock(),
        )
    )
    service.start()
    yield service
    service.stop()


@pytest.mark.slow
def test_a_displaced_training_ends_with_the_same_bits(service: Service) -> None:
    displaced = submit(service, LONG, priority=10)
    log = service.folders.attempt(displaced, 1) / "log.txt"
    until(lambda: log.exists() and "epoch 1/8" in log.read_text())
    urgent = submit(service, SHORT, priority=90)
    until(lambda: service.job(displaced).state.final)
    alone = submit(service, LONG)
    until(lambda: service.job(alone).state.final)

    first, second = service.store.attempts(displaced)
    assert [first.state, second.state] == ["PREEMPTED", "SUCCEEDED"]
    (short,) = service.store.attempts(urgent)
    assert first.finished_at <= short.placed_at < short.finished_at <= second.placed_at
    assert f"job {urgent} takes the devices of job {displaced}" in first.exit_reason
    job = service.store.job(displaced)
    assert (job.state, job.preemptions, job.failures) == ("SUCCEEDED", 1, 0)
    assert 0.1 < job.progress < 1
    assert first.lost_s < first.finished_at - first.started_at
    assert job.lost_s == pytest.approx(first.lost_s + second.lost_s)
    assert job.lost_s > 0
    assert not list(service.folders.checkpoints(displaced).glob("epoch-*-*.ckpt"))

    (straight,) = service.store.attempts(alone)
    assert second.result["metrics"] == straight.result["metrics"]
    samples = [one.result["samples"] for one in (first, second, straight)]
    assert samples[0] + samples[1] == samples[2]
    left, right = (service.folders.artifacts(number) for number in (displaced, alone))
    ours, theirs = (torch.load(one / "model.pt", weights_only=True) for one in (left, right))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert (left / "history.csv").read_text() == (right / "history.csv").read_text()


def submit(service: Service, work: dict[str, Any], **fields: Any) -> int:
    kind = JobKind.CNN_TRAIN
    spec = JobSpec(kind=kind, work=work, profile=profile(kind, work), **fields)
    (job,), _ = service.jobs.submit([spec], actor="ann")
    return job.id
