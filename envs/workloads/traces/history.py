"""A workload from the jobs that the service has run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from envs.workloads.base import Workload, WorkloadRun
from envs.workloads.traces.documents import Document, Rejects
from envs.workloads.traces.documents import workload as ordered
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.jobs import Attempt, Job, eligible_since
from scheduler.domain.lifecycle import AttemptState, JobState
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement
from scheduler.estimates import Estimator, options
from scheduler.store.base import JobQuery, Store

_PAGE = 500
_YEAR_9999 = 253_370_764_800.0
"""Unix seconds; dates end there."""


def read(
    store: Store,
    pools: Sequence[Pool],
    *,
    since: float | None = None,
    until: float | None = None,
    name: str = "history",
) -> Workload:
    """The jobs submitted from `since` (inclusive) to `until` (exclusive, both Unix seconds).

    Only jobs that succeeded are taken: how long the others would have run is unknown; they are
    named in `skipped`. A job arrives when it could first have started: at its submission, or when
    the last job that it waited for had ended. Its runtime is the measured one where it ran; a last
    attempt that went on from a checkpoint is extended to the whole work. On other devices and
    widths of `pools` it is scaled by the ratio of the two estimates, made from all measurements in
    the store; what was expected of it, from those before its arrival. Raises `InputError` if no
    job is left.
    """
    measurements = store.measurements(limit=1_000_000)
    past = _Past(
        {pool.name: pool for pool in pools},
        {(one.job, one.attempt): one for one in measurements},
        Estimator(measurements, pools),
    )
    span = f"from {_moment(since, 'its start')} to {_moment(until, 'its end')}"
    document = Document(name, "", f"job history {span}")
    rejects = Rejects(document, strict=False)
    rows: list[tuple[float, dict[str, Any]]] = []
    found = _jobs(store, JobQuery(submitted_from=since, submitted_to=until))
    before = _Before(measurements, pools)
    for ready, _, job in sorted((_ready(job, store), job.id, job) for job in found):
        try:
            rows.append((ready, _arrival(job, store, past, before.at(ready))))
        except (ValueError, InfeasibleError) as error:
            rejects.reasons.append(f"job {job.id}: {error}")
    origin = min((submitted for submitted, _ in rows), default=0.0)
    for submitted, fields in rows:
        if fields["deadline"] is not None:
            fields["deadline"] = max(fields["deadline"], submitted) - origin
    return ordered(document, rows, rejects)


def _moment(time: float | None, otherwise: str) -> str:
    if time is None or not 0 <= time < _YEAR_9999:
        return otherwise
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def _jobs(store: Store, query: JobQuery) -> Iterator[Job]:
    before = None
    while page := store.jobs(query, before=before, limit=_PAGE):
        yield from page
        before = page[-1].id


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known now."""

    pools: Mapping[str, Pool]
    measured: Mapping[tuple[int, int], Measurement]
    estimator: Estimator

    def model(self, attempt: Attempt) -> str | None:
        """Device model that it ran on."""
        measurement = self.measured.get((attempt.job, attempt.number))
        if measurement is not None:
            return measurement.model
        pool = self.pools.get(attempt.pool)
        return pool.model if pool else None


class _Before:
    """What was known then."""

    def __init__(self, measurements: Sequence[Measurement], pools: Sequence[Pool]) -> None:
        self._left = deque(sorted(measurements, key=lambda one: one.time))
        self._estimator = Estimator((), pools)

    def at(self, time: float) -> Estimator:
        """From the measurements up to then; later times only."""
        while self._left and self._left[0].time <= time:
            self._estimator.observe(self._left.popleft())
        return self._estimator


def _arrival(job: Job, store: Store, past: _Past, before: Estimator) -> dict[str, Any]:
    if job.state is not JobState.SUCCEEDED:
        raise ValueError(f"{job.state}, not {JobState.SUCCEEDED}")
    attempts = [one for one in store.attempts(job.id) if one.state is AttemptState.SUCCEEDED]
    if not attempts or attempts[-1].started_at is None or attempts[-1].finished_at is None:
        raise ValueError("when it ran is not known")
    last, spec = attempts[-1], job.spec
    device, here = past.model(last), past.pools.get(last.pool)
    if device is None:
        raise ValueError(f"ran in pool {last.pool!r}, of which nothing is known now")
    runtime = _whole_runtime(job, last, past.measured.get((job.id, last.number)))
    expected = None if here is None else before.estimate(spec, here, last.width).runtime_s
    return {
        "runs": _runs(job, last, device, runtime, past),
        "requested_s": spec.max_duration_s,
        "memory_bytes": spec.request.memory_bytes,
        "kind": spec.profile.key,
        "user": spec.user,
        "project": spec.project,
        "priority": float(spec.priority),
        "deadline": spec.deadline,
        "preference": spec.preference,
        "expected_s": expected,
    }


def _whole_runtime(job: Job, attempt: Attempt, measurement: Measurement | None) -> float:
    """Seconds that all of the work takes where the attempt ran."""
    assert attempt.started_at is not None
    assert attempt.finished_at is not None
    seconds = max(0.0, attempt.finished_at - attempt.started_at)
    total = job.spec.profile.samples
    if measurement is None or attempt.number == 1 or not 0 < measurement.samples < total:
        return seconds
    overhead = min(max(0.0, measurement.overhead_s), seconds)
    return overhead + (seconds - overhead) * total / measurement.samples


def _ready(job: Job, store: Store) -> float:
    """When it could first have started (Unix seconds)."""
    ends = [store.job(other).finished_at for other in job.spec.after]
    return eligible_since(job, (end for end in ends if end is not None))


def _runs(
    job: Job,
    attempt: Attempt,
    device: str,
    runtime: float,
    past: _Past,
) -> tuple[WorkloadRun, ...]:
    """Where it ran first; then every other placement that its request allows now."""
    spec, here, estimator = job.spec, past.pools.get(attempt.pool), past.estimator
    runs = {(device.casefold(), attempt.width): WorkloadRun(device, attempt.width, runtime)}
    scale = 1.0
    if here is not None and here.model == device:
        expected = estimator.estimate(spec, here, attempt.width).runtime_s
        scale = runtime / expected
    known = tuple(past.pools.values())
    try:
        placements = options(spec, known, estimator)
    except InfeasibleError:
        placements = []  # The cluster has changed since; the job still records what it was.
    for placement in placements:
        model, width = known[placement.pool].model, placement.width
        key = (model.casefold(), width)
        runs.setdefault(key, WorkloadRun(model, width, placement.estimate.runtime_s * scale))
    return tuple(runs.values())
