"""Pools whose devices this machine lacks: shown, never placed on, never billed."""

from __future__ import annotations

import pytest

from scheduler import bootstrap, settings
from scheduler.domain.errors import InfeasibleError, InputError
from scheduler.domain.lifecycle import JobState
from scheduler.domain.resources import Request
from scheduler.hardware.inventory import Inventory
from scheduler.service.service import Service
from scheduler.testing.clock import ManualClock
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU

WHY = "this machine has no GPU"


def test_nothing_is_placed_on_an_absent_pool(build):
    world = build((CPU, GPU), absent={"gpu": WHY})
    job = world.submit(job_spec(request=Request(("any",), 1, 1), preference=1.0))[0]
    (attempt,) = world.store.attempts(job.id)
    assert attempt.pool == "cpu"
    cpu, gpu = world.service.cluster.view().pools
    assert (cpu.available, gpu.available, gpu.note) == (True, False, WHY)


def test_a_job_for_absent_devices_is_refused_with_the_reason(build):
    world = build((CPU, GPU), absent={"gpu": WHY})
    spec = job_spec(request=Request(("cuda",), 1, 1))
    with pytest.raises(InfeasibleError, match="pool gpu cannot run it: this machine has no"):
        world.service.jobs.submit([spec], actor="ann")
    with pytest.raises(InfeasibleError, match="pool gpu cannot run it: this machine has no"):
        world.service.queries.plan(spec)


def test_a_job_that_waits_while_the_devices_go_is_told_why(build):
    world = build((CPU, GPU))
    job = world.submit(*[job_spec(request=Request(("cuda",), 1, 1))] * 2)[1]
    assert job.state is JobState.QUEUED
    world.restart((CPU, GPU), absent={"gpu": WHY})
    told = world.service.queries.explain(job.id)
    assert told.cause == "no-pool"
    assert WHY in told.text


def test_a_machine_without_any_pool_starts_no_service(tmp_path):
    inventory = Inventory((GPU,), {"gpu": ("0",)}, {}, {}, {"gpu": WHY})
    with pytest.raises(InputError) as caught:
        Service(
            bootstrap.components(
                settings.load(overrides={"data_dir": tmp_path}),
                MemoryStore(),
                FakeExecutor(),
                inventory,
                ManualClock(),
            )
        )
    assert caught.value.fields == {"pools.gpu": WHY}
