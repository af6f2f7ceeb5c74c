"""What every `Store` owes those who keep sweeps and arrays, as tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.groups.sweeps import (
    LIVE_SWEEPS,
    Dimension,
    Direction,
    EpochReport,
    Pruner,
    PrunerKind,
    SweepMethod,
    SweepSpec,
    SweepState,
    SweepTrial,
    TrialState,
)
from scheduler.store.base import JobQuery, Store
from scheduler.store.sweeps import SweepQuery
from scheduler.testing.samples import job_spec, submission, submitted

SWEEP = SweepSpec(
    job=job_spec(name="digits", user="ann", project="vision"),
    parameters={
        "work.env.RATE": Dimension(low=1e-4, high=0.1, log=True),
        "size": Dimension(choices=(32, 64, None, {"a": [1]})),
    },
    method=SweepMethod.TPE,
    trials=20,
    parallel=4,
    metric="validation_accuracy",
    direction=Direction.MAXIMIZE,
    pruner=Pruner(PrunerKind.ASHA, min_epochs=2),
    seed=7,
)


class SweepContract:
    """Sweeps, trials, and the jobs of arrays."""

    def test_a_sweep_comes_back_as_it_was_submitted(self, store: Store) -> None:
        """With every value of its parameters."""
        sweep, replayed = store.sweeps.submit(SWEEP, now=5.0, actor="ann")
        assert (sweep.id, sweep.spec, sweep.state, replayed) == (1, SWEEP, "RUNNING", False)
        assert store.sweeps.sweep(1) == sweep
        with pytest.raises(MissingError, match="there is no sweep 2"):
            store.sweeps.sweep(2)

    def test_the_same_key_makes_one_sweep(self, store: Store) -> None:
        """And the key of another request is refused."""
        first, _ = store.sweeps.submit(SWEEP, now=5.0, actor="ann", key="k", digest="d")
        again = store.sweeps.submit(SWEEP, now=6.0, actor="ann", key="k", digest="d")
        assert again == (first, True)
        assert store.sweeps.submit(SWEEP, now=6.0, actor="bob", key="k", digest="d")[0].id == 2
        with pytest.raises(StateError, match="used for another request"):
            store.sweeps.submit(SWEEP, now=7.0, actor="ann", key="k", digest="other")
        assert len(store.sweeps.sweeps(SweepQuery())) == 2

    def test_a_sweep_moves_only_from_the_states_that_are_named(self, store: Store) -> None:
        """So an end and a cancellation do not overwrite each other."""
        store.sweeps.submit(SWEEP, now=5.0, actor="ann")
        ended = store.sweeps.move(1, [SweepState.RUNNING], SweepState.SUCCEEDED, "done", 9.0)
        assert (ended.state, ended.reason, ended.finished_at) == ("SUCCEEDED", "done", 9.0)
        same = store.sweeps.move(1, LIVE_SWEEPS, SweepState.CANCELLING, "by bob", 10.0)
        assert same == ended == store.sweeps.sweep(1)
        with pytest.raises(MissingError):
            store.sweeps.move(9, LIVE_SWEEPS, SweepState.CANCELLING, "", 10.0)

    def test_sweeps_are_listed_newest_first(self, store: Store) -> None:
        """By state, user and project, page by page."""
        other = replace(SWEEP, job=job_spec(user="bob"))
        for spec in (SWEEP, other, SWEEP):
            store.sweeps.submit(spec, now=5.0, actor="x")
        store.sweeps.move(3, LIVE_SWEEPS, SweepState.CANCELLED, "", 6.0)

        def ids(query: SweepQuery, before: int | None = None, limit: int = 100) -> list[int]:
            return [one.id for one in store.sweeps.sweeps(query, before=before, limit=limit)]

        assert ids(SweepQuery()) == [3, 2, 1]
        assert ids(SweepQuery(), before=3, limit=1) == [2]
        assert ids(SweepQuery(states=LIVE_SWEEPS)) == [2, 1]
        assert ids(SweepQuery(user="ann")) == [3, 1]
        assert ids(SweepQuery(project="default")) == [2]

    def test_the_newest_state_of_a_trial_is_kept(self, store: Store) -> None:
        """All of its values come back as they were written."""
        store.sweeps.submit(SWEEP, now=5.0, actor="ann")
        (job,) = submitted(store)
        first = SweepTrial(1, 1, {"size": 32, "work.env.RATE": 0.01})
        second = SweepTrial(1, 2, {"size": None})
        store.sweeps.record([second, first])
        reports = (EpochReport(1, 0.5, 2.25), EpochReport(2, 0.75))
        pruned = replace(
            first, state=TrialState.PRUNED, reason="why", job=job.id, reports=reports, epochs=9,
            value=0.75,
        )  # fmt: skip
        store.sweeps.record([pruned])
        store.sweeps.record([])
        assert store.sweeps.trials(1) == [pruned, second]
        assert store.sweeps.trials(2) == []

    def test_the_jobs_of_an_array_know_its_first_one(self, store: Store) -> None:
        """They are found by it, as trials are by their sweep."""
        submitted(store)
        store.submit([submission(*(job_spec(array=-1, index=index) for index in (0, 5)))])
        submitted(store, job_spec(sweep=3, index=1))
        found = store.jobs(JobQuery(array=2))
        assert [(job.id, job.spec.array, job.spec.index) for job in found] == [(3, 2, 5), (2, 2, 0)]
        assert [job.id for job in store.jobs(JobQuery(sweep=3))] == [4]
        assert store.count(JobQuery(array=9)) == 0
