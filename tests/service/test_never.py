"""What must never happen, over random submissions, ends, losses, cancels and restarts."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from scheduler.domain.errors import FulcrumError, IllegalTransitionError
from scheduler.domain.jobs import Retry
from scheduler.domain.lifecycle import FINAL, AttemptState
from scheduler.domain.resources import Request
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, Failing, World, memory_store

POOLS = (CPU, GPU)

PREFERENCES = st.sampled_from([None, 0.0, 0.5, 1.0])


class Life(RuleBasedStateMachine):
    """A service whose store fails at times, whose machine is lost at times, killed at will."""

    @initialize(policy=st.sampled_from(["priority", "sjf", "best-value", "tetris"]))
    def begin(self, policy):
        self.options = {"policy": policy}
        self.folder = tempfile.TemporaryDirectory()
        self.store = Failing(memory_store()())
        self.world = World(Path(self.folder.name), lambda: self.store, POOLS, **self.options)
        self.accepted = 0
        self.ended = {}

    @rule(
        devices=st.sampled_from([("any",), ("cpu",), ("cuda",)]),
        width=st.sampled_from([(1, 1), (1, 2), (2, 2)]),
        after=st.lists(st.integers(0, 20), max_size=2),
        retry=st.builds(Retry, st.integers(1, 3), st.sampled_from([0.0, 10.0])),
        priority=st.sampled_from([0, 50, 100]),
        count=st.integers(1, 3),
        chained=st.booleans(),
        resumable=st.booleans(),
    )
    def submit(self, devices, width, after, retry, priority, count, chained, resumable):
        known = sorted({1 + job % self.accepted for job in after}) if self.accepted else []
        request = Request(devices, *((1, 1) if devices == ("cuda",) else width))
        specs = [
            job_spec(
                work={"argv": ["true"], "resumable": resumable},
                request=request,
                retry=retry,
                priority=priority,
                after=(*known, *([-at] if chained and at else [])),
            )
            for at in range(count)
        ]
        try:
            jobs, _ = self.world.service.jobs.submit(specs, actor="ann")
        except FulcrumError:
            return
        assert [job.id for job in jobs] == list(range(self.accepted + 1, self.accepted + 1 + count))
        self.accepted += count

    @rule(call=st.sampled_from(["record", "job", "measure", "submit", "attempts"]))
    def fail_once(self, call):
        self.store.fail[call] = 1

    @rule()
    def lose_an_answer(self):
        self.store.lose = 1

    @rule()
    def step(self):
        self._try(self.world.step)

    @rule()
    def hear(self):
        self.world.executor.deliver()
        self._try(self.world.step)

    @rule(seconds=st.sampled_from([1.0, 10.0, 1000.0]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)
        self._try(self.world.step)

    @precondition(lambda self: self.world.executor.running)
    @rule(
        which=st.integers(0, 5),
        end=st.sampled_from(["finish", "finish", "finish", "fail", "lose", "stop"]),
        heard=st.booleans(),
    )
    def end(self, which, end, heard):
        running = self.world.executor.running
        if end == "stop":
            running = [one for one in running if one in self.world.executor.preempts] or running
        attempt = running[which % len(running)]
        if end == "stop" and attempt in self.world.executor.preempts:
            self.world.executor.stop_preempted(attempt)
        else:
            getattr(self.world.executor, "finish" if end == "stop" else end)(attempt)
        if heard:
            self._try(self.world.step)

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 30), obeys=st.booleans())
    def cancel(self, which, obeys):
        self.world.executor.obeys = obeys
        try:
            self._try(lambda: self.world.cancel(1 + which % self.accepted))
        except (IllegalTransitionError, TimeoutError):
            return

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 30), obeys=st.booleans())
    def preempt(self, which, obeys):
        self.world.executor.obeys = obeys
        try:
            self._try(lambda: self.world.preempt(1 + which % self.accepted))
        except (IllegalTransitionError, TimeoutError):
            return

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 30), priority=st.integers(0, 100), preference=PREFERENCES)
    def update(self, which, priority, preference):
        number = 1 + which % self.accepted
        try:
            self._try(lambda: self.world.update(number, priority=priority, preference=preference))
        except (IllegalTransitionError, TimeoutError):
            return

    @rule(without=st.sampled_from([None, None, GPU]))
    def kill(self, without):
        self.store.fail.clear()
        self.world.restart([pool for pool in POOLS if pool != without], step=False, **self.options)

    @invariant()
    def nothing_is_lost_or_run_twice(self):
        stored = [self.store._store.job(number) for number in range(1, self.accepted + 1)]
        self._no_final_state_is_left(stored)
        attempts = [one for job in stored for one in self.store._store.attempts(job.id)]
        holding = [one for one in attempts if not one.state.final]
        assert max(Counter(one.job for one in holding).values(), default=0) <= 1
        devices = Counter((one.pool, device) for one in holding for device in one.devices)
        assert max(devices.values(), default=0) <= 1
        states = {job.id: job.state for job in stored}
        assert {one.job for one in holding} == {job for job, at in states.items() if at.active}
        for job in stored:
            mine = [one for one in attempts if one.job == job.id]
            preempted = [one for one in mine if one.state is AttemptState.PREEMPTED]
            assert len(preempted) == job.preemptions
            assert not preempted or job.spec.work["resumable"]
            assert job.lost_s == pytest.approx(sum(one.lost_s for one in mine))
            if job.attempts:
                assert all(states[dependency] == "SUCCEEDED" for dependency in job.spec.after)
        running = self.world.executor.running
        assert len({attempt.partition(".")[0] for attempt in running}) == len(running)
        assert set(running) <= {one.id for one in holding}

    def _no_final_state_is_left(self, stored):
        for job in stored:
            if job.id in self.ended:
                assert job == self.ended[job.id]
            elif job.state in FINAL:
                self.ended[job.id] = job

    def _try(self, action):
        """What fails is made again by the next step."""
        try:
            action()
        except IllegalTransitionError:
            raise
        except FulcrumError:
            return

    def teardown(self):
        if not hasattr(self, "world"):
            return
        self.store.fail.clear()
        self.store.lose = 0
        self.world.restart(POOLS, step=False, **self.options)
        for _ in range(300):
            self._try(self.world.settle)
            for attempt in self.world.executor.running:
                self.world.executor.finish(attempt)
            self.world.clock.advance(100)
            if not self.store.live()[0]:
                break
        assert self.store.live() == ([], [])
        self.nothing_is_lost_or_run_twice()
        assert self.world.service.cluster.statistics()["jobs_active"] == 0
        self.world.service.stop()
        self.folder.cleanup()


TestNever = Life.TestCase
TestNever.settings = settings(max_examples=40, stateful_step_count=40)
