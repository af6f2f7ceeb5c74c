"""Whatever is done to both, the SQL store and the in-memory reference give the same answers."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from scheduler.domain import transitions
from scheduler.domain.errors import FulcrumError
from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import JobQuery, Store
from scheduler.store.sql import SqlStore
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import (
    POOL,
    decision,
    job_spec,
    measurement,
    placement,
    submission,
)

names = st.sampled_from(["ann", "bob"])
specs = st.builds(
    job_spec,
    user=names,
    project=st.sampled_from(["x", "y"]),
    name=st.sampled_from(["Net", "größe", "100%"]),
    kind=st.sampled_from(JobKind),
    after=st.lists(st.integers(-2, 6), max_size=1).map(tuple),
)
submissions = st.builds(
    lambda specs, **fields: submission(*specs, **fields),
    st.lists(specs, min_size=1, max_size=2),
    now=st.integers(0, 300).map(float),
    actor=names,
    key=st.none() | st.sampled_from(["k", "l"]),
    digest=st.sampled_from(["d", "e"]),
    retry_of=st.none() | st.integers(1, 6),
)
steps = st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans())
"""Which live job, which device, and whether over an old version."""


class StoresAgree(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = 1000.0
        self.reference = MemoryStore()
        self.store = SqlStore(f"sqlite:///{self.folder}/f.sqlite")

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(submissions, max_size=3))
    def submit(self, batch: list[Any]) -> None:
        answers = [_plain(store.submit(batch)) for store in (self.reference, self.store)]
        assert answers[0] == answers[1]

    @rule(chosen=st.lists(steps, min_size=1, max_size=4))
    def record(self, chosen: list[tuple[int, int, bool]]) -> None:
        self.now += 40_000.0
        changes = [one for step in chosen if (one := self._next(*step)) is not None]
        kept = [decision(one.job.id, time=self.now) for one in changes]
        assert self.reference.record(changes, kept) == self.store.record(changes, kept)

    @rule(job=st.integers(1, 4), time=st.integers(0, 3))
    def measure(self, job: int, time: int) -> None:
        for store in (self.reference, self.store):
            store.measure(measurement(job, time=float(time)))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = SqlStore(f"sqlite:///{self.folder}/f.sqlite")

    @rule(
        query=st.builds(
            JobQuery,
            states=st.lists(st.sampled_from(JobState), max_size=3),
            kinds=st.lists(st.sampled_from(JobKind), max_size=1),
            user=st.none() | names,
            name=st.none() | st.sampled_from(["NET", "SS", "%"]),
            submitted_from=st.none() | st.just(100.0),
        ),
        before=st.none() | st.integers(0, 9),
        limit=st.integers(0, 3),
        since=st.none() | st.just(100_000.0),
    )
    def read(self, query: JobQuery, before: int | None, limit: int, since: float | None) -> None:
        one, other = (
            _readings(store, query, before, limit, since) for store in (self.reference, self.store)
        )
        assert one == other

    def _next(self, index: int, device: int, stale: bool) -> Transition | None:
        jobs, attempts = self.reference.live()
        if not jobs:
            return None
        job = jobs[index % len(jobs)]
        if stale:
            job = replace(job, version=job.version - 1)
        running = {attempt.job: attempt for attempt in attempts}
        attempt = running.get(job.id)
        if attempt is not None:
            return self._change(job, attempt, device)
        if device == 3:
            return transitions.cancelled(job, self.now, "ann", "not needed")
        return placement(job, device, (device + 1) % 3, now=self.now)[0]

    def _change(self, job: Job, attempt: Attempt, device: int) -> Transition:
        match device, job.state:
            case 0, JobState.STARTING:
                return transitions.started(job, attempt, 4711, self.now)
            case 1, _:
                return transitions.lost(job, attempt, POOL, "gone", self.now)
            case 2, JobState.RUNNING:
                return transitions.preempt_requested(job, "ann", "why", self.now, {"by": 3})
            case 2, JobState.PREEMPTING:
                left, stopped = transitions.interrupted(job, attempt, 0.3, 12.5)
                return transitions.preempted(left, stopped, POOL, job.reason, self.now)
        return transitions.succeeded(job, attempt, POOL, {"loss": 0.5}, self.now)


def _plain(answers: list[Any]) -> list[Any]:
    return [
        (one.code, one.message, one.fields) if isinstance(one, FulcrumError) else _named(one)
        for one in answers
    ]


def _named(jobs: list[Job]) -> list[Job]:
    """Each store draws nonces of its own; every job has one."""
    assert all(job.nonce for job in jobs)
    return [replace(job, nonce="") for job in jobs]


def _readings(
    store: Store, query: JobQuery, before: int | None, limit: int, since: float | None
) -> list[Any]:
    live, attempts = store.live()
    return [
        _named(store.jobs(query, before=before, limit=limit)),
        (_named(live), attempts),
        store.events(after=2, limit=50),
        store.events(2, limit=limit),
        store.measurements(limit=2),
        store.find_attempts(since=since, limit=limit),
        store.find_attempts(jobs=[1, 3]),
        *[(store.attempts(job), store.decisions(job, limit=limit)) for job in range(4)],
        *[
            [_rounded(cost) for cost in store.costs(by, since=since)]
            for by in ("user", "project", "day", "pool")
        ],
    ]


def _rounded(cost: Any) -> Any:
    return replace(
        cost,
        dollars=round(cost.dollars, 6),
        joules=round(cost.joules, 3),
        device_seconds=round(cost.device_seconds, 3),
    )


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(
    max_examples=10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
