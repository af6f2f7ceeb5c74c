"""Small jobs, pools and records for tests, and short ways to bring a store into a state."""

from __future__ import annotations

from typing import Any

from scheduler.domain import transitions
from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, Estimate, Job, JobKind, JobSpec, Profile
from scheduler.domain.pools import Pool
from scheduler.domain.records import Decision, Measurement, Row
from scheduler.domain.resources import DeviceKind
from scheduler.store.base import Store, Submission

POOL = Pool(
    "cpu", DeviceKind.CPU, "Test CPU", 8, dollars_per_device_hour=3.6, watts_per_device=10.0
)
ESTIMATE = Estimate(runtime_s=60.0, dollars=0.06, joules=600.0, source="default")


def job_spec(**fields: Any) -> JobSpec:
    """A command job; any field may be given."""
    defaults: dict[str, Any] = {
        "kind": JobKind.COMMAND,
        "work": {"argv": ["true"]},
        "profile": Profile("command:true", 1.0),
    }
    return JobSpec(**{**defaults, **fields})


def submission(*specs: JobSpec, now: float = 100.0, **fields: Any) -> Submission:
    """Of these specs, or of one command job."""
    return Submission(specs=specs or (job_spec(),), now=now, **{"actor": "ann", **fields})


def submitted(store: Store, *specs: JobSpec, now: float = 100.0) -> list[Job]:
    """The jobs, stored."""
    (answer,) = store.submit([submission(*specs, now=now)])
    assert isinstance(answer, list), answer
    return answer


def placement(
    job: Job, *devices: int, now: float = 110.0, pool: Pool = POOL
) -> tuple[Transition, Attempt]:
    """The job's way to STARTING on these devices, not stored, and its new attempt."""
    return transitions.placed(job, pool, devices or (0,), ESTIMATE, now, "first in the queue")


def placed(
    store: Store, job: Job, *devices: int, now: float = 110.0, pool: Pool = POOL
) -> tuple[Job, Attempt]:
    """The job, stored as STARTING on these devices, and its new attempt."""
    change, attempt = placement(job, *devices, now=now, pool=pool)
    assert store.record([change]) == [True]
    return change.job, attempt


def ended(
    store: Store, job: Job, *devices: int, start: float = 120.0, end: float = 180.0
) -> tuple[Job, Attempt]:
    """The job, run from `start` to `end` on these devices."""
    job, attempt = placed(store, job, *devices, now=start)
    begin = transitions.started(job, attempt, 4711, start)
    assert begin.attempt is not None
    finish = transitions.succeeded(begin.job, begin.attempt, POOL, {"accuracy": 0.97}, end)
    assert store.record([begin, finish]) == [True, True]
    assert finish.attempt is not None
    return finish.job, finish.attempt


def decision(job: int = 1, *, attempt: int | None = 1, time: float = 110.0) -> Decision:
    """A choice among two rows; a job without a deadline has infinite slack."""
    chosen = Row(job, "cpu", 1, 0.5, {"wait_s": 10.0, "slack_s": float("inf")})
    rival = Row(job + 1, "cpu", 2, float("-inf"), {"wait_s": 2.5})
    return Decision(time, job, attempt, "fcfs", "start", 2, chosen, (rival,), "waited longest")


def measurement(job: int = 1, attempt: int = 1, *, time: float = 180.0) -> Measurement:
    """Of an attempt that took a minute."""
    return Measurement(
        job=job,
        attempt=attempt,
        time=time,
        key="resnet18:224",
        pool="cpu",
        model="Test CPU",
        width=2,
        samples=1000.0,
        seconds=60.0,
        overhead_s=3.0,
        estimated_s=55.0,
        source="flops",
        flops_per_sample=1.8e9,
    )
