"""What becomes of a sweep: its trials are made, judged, stopped, counted and listed."""

import itertools
import json
from dataclasses import replace

import pytest

from scheduler.domain.errors import IllegalTransitionError, MissingError
from scheduler.domain.groups.sweeps import (
    LIVE_SWEEPS,
    Dimension,
    Direction,
    Pruner,
    PrunerKind,
    SweepMethod,
    SweepSpec,
    SweepState,
)
from scheduler.domain.jobs import JobKind
from scheduler.service.sweeps.sweep_run import JobAccess
from scheduler.service.sweeps.sweeps import SweepService
from scheduler.store.base import JobQuery
from scheduler.testing.samples import job_spec
from scheduler.workloads.spec.specs import parse_work
from tests.support.service_worlds import World, memory_store
from tests.support.thinning import thinned

RATES = (0.1, 0.01, 0.001)
WORK = parse_work("cnn-train", {"epochs": 4}).model_dump(mode="json")


def sweep(**fields):
    """Trainings of 4 epochs, one of each learning rate, two at a time."""
    given = {
        "job": job_spec(kind=JobKind.CNN_TRAIN, work=WORK, name="digits", user="ann"),
        "parameters": {"work.learning_rate": Dimension(choices=RATES)},
        "method": SweepMethod.GRID,
        "trials": 3,
        "parallel": 2,
        "metric": "validation_accuracy",
        "direction": Direction.MAXIMIZE,
    }
    return SweepSpec(**{**given, **fields})


def begin(world, **fields):
    made, _ = world.service.sweeps.submit(sweep(**fields), actor="ann")
    look(world)
    return made


def look(world):
    world.service.sweeps.look()
    world.settle()


def epoch(world, job, number, value, seconds=2.0):
    attempt = f"{job}.{world.job(job).attempts}"
    line = {"kind": "epoch", "epoch": number, "epochs": 4, "validation_accuracy": value}
    world.metrics(attempt, json.dumps({**line, "seconds": seconds}))


def complete(world, job, *values):
    """Report the values, one per epoch, and end well."""
    for number, value in enumerate(values, start=1):
        epoch(world, job, number, value)
    world.finish(f"{job}.{world.job(job).attempts}")
    look(world)


def states(world, number=1):
    return {one.number: one.state.value for one in world.store.sweeps.trials(number)}


def test_trials_are_made_as_others_end_and_the_best_is_found(world):
    begin(world)
    assert [world.job(n).spec.work["learning_rate"] for n in (1, 2)] == [0.1, 0.01]
    assert (world.job(2).spec.name, world.job(2).spec.sweep, world.job(2).spec.index) == (
        "digits-2", 1, 2,
    )  # fmt: skip
    assert world.store.count(JobQuery(sweep=1)) == 2
    complete(world, 1, 0.5, 0.6)
    assert world.job(3).spec.work["learning_rate"] == 0.001
    complete(world, 2, 0.7, 0.9, 0.8)
    complete(world, 3, 0.6, 0.6)
    look(world)
    ended = world.store.sweeps.sweep(1)
    assert (ended.state, ended.reason) == ("SUCCEEDED", "3 of 3 trials completed, 0 pruned")
    view = world.service.sweeps.view(1)
    assert [one.trial.number for one in view.trials] == [2, 1, 3]
    assert (view.best.number, view.best.value, view.best.job) == (2, 0.9, 2)
    assert view.saved_device_s == 0


def test_a_trial_that_falls_behind_is_stopped_and_what_that_saved_is_told(world):
    begin(world, pruner=Pruner(PrunerKind.MEDIAN, startup_trials=1))
    complete(world, 1, 0.8, 0.84, 0.9, 0.91)
    world.clock.advance(10)
    epoch(world, 2, 1, 0.3, seconds=2.5)
    look(world)
    look(world)
    why = "pruned at epoch 1: validation_accuracy 0.3, median of 1 completed trials 0.8"
    job, trial = world.job(2), world.store.sweeps.trials(1)[1]
    assert (job.state, job.reason, job.failures) == ("CANCELLED", why, 0)
    assert world.attempt(2).state == "CANCELLED"
    assert [event.actor for event in world.store.events(2)][-2:] == ["sweep", "executor"]
    assert (trial.state, trial.reason, trial.value) == ("PRUNED", why, 0.3)
    assert states(world)[3] == "LIVE"  # the next trial has its device
    view = world.service.sweeps.view(1)
    pruned = next(one for one in view.trials if one.trial.number == 2)
    assert (pruned.device_s, pruned.saved_device_s) == (10.0, 3 * 2.5)
    complete(world, 3, 0.9)
    assert world.store.sweeps.sweep(1).reason == "2 of 3 trials completed, 1 pruned"


def test_successive_halving_lets_the_best_of_each_rung_go_on(world):
    begin(world, parallel=3, pruner=Pruner(PrunerKind.ASHA, reduction_factor=2))
    for job, value in ((1, 0.9), (2, 0.5)):
        epoch(world, job, 1, value)
        look(world)
    look(world)
    assert states(world) == {1: "LIVE", 2: "PRUNED", 3: "LIVE"}
    assert "not among the best 1/2" in world.job(2).reason


def test_a_trial_that_ends_before_it_is_stopped_has_completed(world):
    begin(world, pruner=Pruner(PrunerKind.MEDIAN, startup_trials=1))
    complete(world, 1, 0.9, 0.9)
    world.executor.obeys = False
    epoch(world, 2, 1, 0.1)
    look(world)
    assert (states(world)[2], world.state(2)) == ("PRUNING", "CANCELLING")
    world.finish("2.1")
    look(world)
    assert states(world)[2] == "COMPLETED"


def test_a_trial_that_reports_nothing_or_fails_has_failed(world):
    begin(world)
    complete(world, 1)
    world.fail("2.1", "exit code 3")
    look(world)
    world.cancel(3)
    look(world)
    found = world.store.sweeps.trials(1)
    assert [one.reason for one in found] == [
        "it reported no validation_accuracy",
        "exit code 3",
        "cancelled by ann",
    ]
    assert states(world) == {1: "FAILED", 2: "FAILED", 3: "CANCELLED"}
    assert world.store.sweeps.sweep(1).state == "FAILED"
    assert world.service.sweeps.view(1).best is None


def test_a_command_may_report_at_its_end_alone(world):
    base = job_spec(work={"argv": ["echo", "{size}"]})
    begin(
        world,
        job=base,
        parameters={"size": Dimension(choices=(3, 4))},
        trials=2,
        metric="loss",
        direction=Direction.MINIMIZE,
    )
    assert [world.job(n).spec.work["argv"] for n in (1, 2)] == [["echo", "3"], ["echo", "4"]]
    assert world.executor.specs["2.1"].env == {"FULCRUM_SWEEP": "1", "FULCRUM_TRIAL": "2"}
    for job, loss in ((1, 0.5), (2, 0.25)):
        world.metrics(f"{job}.1", json.dumps({"kind": "test", "loss": loss}))
        world.finish(f"{job}.1")
    look(world)
    assert world.service.sweeps.view(1).best.number == 2


def test_epochs_of_an_attempt_that_was_preempted_count_once(world):
    begin(world, parallel=1)
    epoch(world, 1, 1, 0.5)
    look(world)
    world.preempt(1)
    world.settle()
    assert world.job(1).attempts == 2
    epoch(world, 1, 1, 0.99)
    epoch(world, 1, 2, 0.6)
    look(world)
    trial = world.store.sweeps.trials(1)[0]
    assert [(one.epoch, one.value) for one in trial.reports] == [(1, 0.5), (2, 0.6)]


def test_a_cancelled_sweep_makes_no_further_trials(world):
    begin(world)
    asked = world.service.sweeps.cancel(1, actor="bob", reason="enough")
    assert asked.state == "CANCELLING"
    look(world)
    look(world)
    assert [world.state(n) for n in (1, 2)] == ["CANCELLED", "CANCELLED"]
    assert world.job(1).reason == "enough"
    ended = world.store.sweeps.sweep(1)
    assert (ended.state, ended.reason) == ("CANCELLED", "enough")
    assert world.store.count(JobQuery()) == 2
    with pytest.raises(IllegalTransitionError, match="sweep 1 is CANCELLED already"):
        world.service.sweeps.cancel(1, actor="bob")
    with pytest.raises(MissingError):
        world.service.sweeps.cancel(7, actor="bob")


def test_parameters_that_do_not_go_together_fail_their_trial_alone(world):
    parameters = {
        "work.validation_fraction": Dimension(choices=(0.1, 0.0)),
        "work.early_stopping": Dimension(choices=(2,)),
    }
    begin(world, parameters=parameters, trials=2)
    assert states(world) == {1: "LIVE", 2: "FAILED"}
    assert "validation_fraction above 0" in world.store.sweeps.trials(1)[1].reason


def test_a_retried_trial_is_a_job_of_its_own(world):
    begin(world)
    world.fail("1.1")
    job, _ = world.service.jobs.retry(1, actor="ann")
    assert (job.spec.sweep, job.spec.index, job.retry_of) == (None, None, 1)


@pytest.mark.parametrize("method", thinned([SweepMethod.TPE, SweepMethod.RANDOM]))
def test_equal_seeds_and_histories_draw_equal_parameters(build, method):
    """Also after a restart between any two trials."""
    spaces = {
        "work.learning_rate": Dimension(low=1e-4, high=0.1, log=True),
        "work.batch_size": Dimension(choices=(16, 32, 64)),
        "work.epochs": Dimension(low=2, high=9, whole=True),
    }
    drawn = []
    for restarts in (False, True):
        world = build()
        first = world.store.sweeps.submit(
            sweep(method=method, parameters=spaces, trials=14, parallel=1, seed=5),
            now=1.0,
            actor="x",
        )[0]
        for _ in range(14):
            look(world)
            newest = world.store.sweeps.trials(first.id)[-1]
            complete(world, newest.job, 1 - newest.parameters["work.learning_rate"])
            if restarts:
                world.restart()
        drawn.append([one.parameters for one in world.store.sweeps.trials(first.id)])
        assert world.store.sweeps.sweep(first.id).state == "SUCCEEDED"
    assert drawn[0] == drawn[1]
    assert len({json.dumps(one) for one in drawn[0]}) == 14


class KilledError(BaseException):
    """The service ends here."""


class Mortal:
    """Makes the calls that change something; the service is killed before or after one of them."""

    def __init__(self, last):
        self.last, self.steps = last, itertools.count()

    def __call__(self, call):
        def once(*arguments):
            if next(self.steps) == self.last:
                raise KilledError
            result = call(*arguments)
            if next(self.steps) == self.last:
                raise KilledError
            return result

        return once

    def access(self, access: JobAccess) -> JobAccess:
        sweeps = Partly(
            access.store.sweeps,
            record=self(access.store.sweeps.record),
            move=self(access.store.sweeps.move),
        )
        return replace(
            access,
            store=Partly(access.store, sweeps=sweeps),
            submit=self(access.submit),
            cancel=self(access.cancel),
        )


class Partly:
    """Another object, but for some of its attributes."""

    def __init__(self, other, **own):
        self._other = other
        self.__dict__.update(own)

    def __getattr__(self, name):
        return getattr(self._other, name)


@pytest.mark.parametrize("cancelled", thinned([False, True]), ids=["to its end", "cancelled"])
def test_a_service_that_is_killed_between_any_two_steps_does_each_once(tmp_path, cancelled):
    """Each change of the store, each submission and each cancellation is once the last one."""
    for last in range(200):
        world = World(tmp_path / str(last), memory_store())
        killed = lives(world, last, cancelled)
        trials = world.store.sweeps.trials(1)
        jobs = world.store.jobs(JobQuery(sweep=1))
        assert sorted(job.spec.index for job in jobs) == [one.number for one in trials if one.job]
        assert {job.id for job in jobs} == {one.job for one in trials if one.job}
        assert all(one.state.final for one in trials)
        assert all(job.state.final for job in jobs)
        if cancelled:
            assert world.store.sweeps.sweep(1).state == "CANCELLED"
        else:
            assert states(world) == {1: "COMPLETED", 2: "PRUNED", 3: "COMPLETED"}
            assert world.store.sweeps.sweep(1).state == "SUCCEEDED"
        world.service.stop()
        if not killed:
            return
    raise AssertionError("it never came to an end")


def lives(world, last, cancelled):
    """Carry a sweep to its end with one kill; whether there was one."""
    world.service.sweeps = SweepService(Mortal(last).access(world.service.sweeps._access))
    world.store.sweeps.submit(
        sweep(pruner=Pruner(PrunerKind.MEDIAN, startup_trials=1)), now=1.0, actor="ann"
    )
    killed = False
    for turn in range(12):
        try:
            world.service.sweeps.look()
        except KilledError:
            killed = True
            world.restart()
        world.settle()
        if cancelled and turn == 1:
            world.store.sweeps.move(1, LIVE_SWEEPS, SweepState.CANCELLING, "enough", 5.0)
        for job in world.store.jobs(JobQuery(sweep=1)):
            if job.state == "RUNNING" and not (cancelled and turn >= 1):
                act(world, job)
    return killed


def act(world, job):
    """The second trial is bad and never ends by itself; the others are good."""
    done = {one.number: one.state for one in world.store.sweeps.trials(1)}
    if job.spec.index != 2:
        for number in (1, 2):
            epoch(world, job.id, number, 0.9)
        world.finish(f"{job.id}.1")
    elif done.get(1) == "COMPLETED":
        epoch(world, job.id, 1, 0.1)
