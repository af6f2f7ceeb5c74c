"""Play-outs: what they say of a choice, held against simulations of the same jobs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.clock import CompiledSimulation
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Arrival as Job
from envs.workloads.base import Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.search.arrivals import ArrivalHistory, ArrivedJob, Lately, RecentArrivals
from scheduler.decisions.search.playouts import Playouts
from scheduler.decisions.search.result import best_of
from scheduler.decisions.search.settings import PlayoutObjective, SearchSettings
from scheduler.decisions.state.entries import Shape
from scheduler.decisions.state.plan import Action
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.lookup import named

ONE = (Pool("gpu", DeviceKind.CUDA, "GPU", 8, dollars_per_device_hour=2.0),)
TWO = (*ONE, Pool("old", DeviceKind.CUDA, "OLD", 2, nodes=3, dollars_per_device_hour=0.5))
JOBS = 48


class Known:
    """Draws the one future that is known to come."""

    def integers(self, high, size):
        return np.zeros(size, dtype=np.int64)


def workload(seed, pools):
    rng = np.random.default_rng(seed)
    now, jobs = 0.0, []
    for number in range(1, JOBS + 1):
        now += float(rng.exponential(15.0))
        seconds = float(rng.exponential(300.0)) + 1.0
        width = int(rng.choice([1, 1, 2, 4]))
        runs = [WorkloadRun("GPU", width, seconds)]
        if len(pools) > 1:
            runs += [WorkloadRun("OLD", 1, seconds * 3.0), WorkloadRun("GPU", 2 * width, seconds)]
        jobs.append(
            Job(
                number,
                now,
                tuple(runs),
                priority=float(rng.choice([20, 50, 90])),
                preference=float(rng.random()),
                deadline=now + 2000.0 if number % 3 == 0 else None,
            )
        )
    return Workload("small", tuple(jobs))


def at_choice(spec, policy, seed, rounds=8):
    """A simulation at a choice between three jobs or more, after so many rounds; and that round."""
    simulation = CompiledSimulation(workload(seed, spec.pools), spec)
    while (round_ := simulation.next()) is not None:
        rounds -= 1
        while (table := round_.table()) is not None:
            if round_.free and rounds < 0 and len(np.unique(table.slot)) > 3:
                return simulation, round_
            row = round_.choose(policy.scorer) if round_.free else int(table.rows[1])
            if round_.take(max(row, 0)) is Action.WAIT:
                break
        simulation.commit(round_.plan())
    raise AssertionError("there is no such choice")


def to_come(spec, policy, seed, now):
    """The true arrivals from then on, as a simulation of them shows them."""
    simulation, seen = CompiledSimulation(workload(seed, spec.pools), spec), RecentArrivals()
    while (round_ := simulation.next()) is not None:
        seen.see(simulation.world)
        simulation.commit(decide(round_, policy))
    assert len(seen) == JOBS
    coming = [job for job in seen.jobs.values() if job.submitted > now]
    drawn = ArrivalHistory.of([coming])
    return replace(drawn, gap=np.diff([now, *(job.submitted for job in coming)]))


def searched(round_, policy, arrivals, draws, patience=np.inf, **settings):
    chosen = SearchSettings(length=len(arrivals), patience=patience, **settings)
    counted = PlayoutObjective(seconds=1.0, slowdown=3.0, dollars=500.0, miss=40.0)
    return Playouts(policy.scorer, arrivals, chosen, counted).search(round_.world, draws)


def counted_in(simulation, jobs, policy):
    """What the objective counts of these jobs in a simulation that goes on to its end."""
    simulation.commit(decide(Round.opened(simulation.world, simulation.spec.mode), policy))
    while (round_ := simulation.next()) is not None:
        simulation.commit(decide(round_, policy))
    found = simulation.outcome()
    at = np.isin(found.job, jobs)
    p = simulation.episode.trace.job_preference[at]
    late = found.jct * found.priority / 50.0 + 3.0 * found.bounded_slowdown
    paid = 500.0 * found.dollars[at]
    missed = 40.0 * (found.ended > found.deadline)[at]
    return float((p * late[at] + (1.0 - p) * paid + missed).sum())


CASES = [
    (ONE, Mode.EASY, "saf"),
    (ONE, Mode.NONE, "f1"),
    (ONE, Mode.COMMIT, "f1"),
    (ONE, Mode.COMMIT_FCFS, "saf"),
    (ONE, Mode.COMMIT_EASY, "sjf"),
    (TWO, Mode.GREEDY, "wgc"),
    (TWO, Mode.GREEDY, "fastest"),
    (TWO, Mode.EASY, "wfp3"),
    (TWO, Mode.COMMIT, "sjf"),
]


@pytest.mark.parametrize(("pools", "mode", "name"), CASES)
@pytest.mark.parametrize("seed", range(2))
def test_the_true_future_plays_out_as_the_simulation_goes_on(pools, mode, name, seed):
    policy, spec = named(name), ClusterSpec(pools, mode)
    probe, round_ = at_choice(spec, policy, seed)
    found = searched(round_, policy, to_come(spec, policy, seed, probe.now), Known(), futures=4)
    coming = [job.id for job in workload(seed, pools).jobs if job.submitted_at > probe.now]
    jobs = [*probe.world.waiting(), *coming]
    for index, row in enumerate(found.rows):
        simulation, same = at_choice(spec, policy, seed)
        same.take(int(row))
        expected = counted_in(simulation, jobs, policy)
        assert found.values[index] == pytest.approx([expected] * 4, rel=1e-9)


def values(pools, mode, name, seed, **settings):
    policy, spec = named(name), ClusterSpec(pools, mode)
    _, round_ = at_choice(spec, policy, seed)
    arrivals = to_come(spec, policy, seed, round_.now)
    return searched(round_, policy, arrivals, np.random.default_rng(5), futures=6, **settings)


def all_values():
    """What play-outs say in all cases, for a test that computes it in other ways."""
    found = [values(*case, seed) for case in CASES for seed in range(2)]
    return [[each.rows.tolist(), each.values.tolist(), each.best] for each in found]


@pytest.mark.slow
def test_plain_python_plays_out_the_same():
    assert json.loads(json.dumps(all_values())) == played_elsewhere(FULCRUM_NO_NUMBA="1")


@pytest.mark.slow
def test_no_index_of_a_play_out_is_out_of_bounds():
    assert json.loads(json.dumps(all_values())) == played_elsewhere(NUMBA_BOUNDSCHECK="1")


def played_elsewhere(**variables):
    done = subprocess.run(
        [sys.executable, "-c", f"import json, {__name__} as t; print(json.dumps(t.all_values()))"],
        cwd=Path(__file__).parents[3],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["wgc", "saf"])
def test_what_becomes_of_a_candidate_does_not_depend_on_the_others(name):
    few, many = (values(TWO, Mode.GREEDY, name, 0, jobs=jobs) for jobs in (2, 8))
    shared = {int(row): index for index, row in enumerate(many.rows)}
    assert len(few.rows) < len(many.rows)
    for index, row in enumerate(few.rows.tolist()):
        assert few.values[index].tolist() == many.values[shared[row]].tolist()


def test_candidates_that_are_clearly_worse_are_played_in_fewer_futures():
    policy, spec = named("saf"), ClusterSpec(ONE, Mode.EASY)
    _, round_ = at_choice(spec, policy, 1)
    arrivals = to_come(spec, policy, 1, round_.now)
    whole, part = (
        searched(round_, policy, arrivals, np.random.default_rng(5), futures=12, patience=patience)
        for patience in (np.inf, 1.0)
    )
    played = np.isfinite(part.values)
    assert not played.all()
    assert played[:, :4].all()
    assert part.values[played].tolist() == whole.values[played].tolist()
    assert (part.gains[~played.all(axis=1)] <= 0.0).all()
    assert np.isfinite(part.errors).all()


def test_a_search_leaves_the_round_as_it_is():
    policy, spec = named("wgc"), ClusterSpec(TWO, Mode.GREEDY)
    plans = []
    for searches in (False, True):
        simulation, round_ = at_choice(spec, policy, 1)
        if searches:
            arrivals = to_come(spec, policy, 1, round_.now)
            searched(round_, policy, arrivals, np.random.default_rng(1))
        plans.append(decide(round_, policy))
        simulation.commit(plans[-1])
        while (later := simulation.next()) is not None:
            simulation.commit(decide(later, policy))
        plans.append(simulation.outcome().ended.tolist())
    assert plans[:2] == plans[2:]


def test_the_last_scratch_of_another_world_does_not_matter():
    policy, spec = named("wgc"), ClusterSpec(TWO, Mode.GREEDY)
    found = []
    for seeds in ((1,), (0, 1)):
        rounds = [at_choice(spec, policy, seed)[1] for seed in seeds]
        arrivals = to_come(spec, policy, 1, rounds[-1].now)
        playouts = Playouts(policy.scorer, arrivals, SearchSettings(), PlayoutObjective())
        found.append([playouts.search(each.world, np.random.default_rng(1)) for each in rounds][-1])
    assert np.array_equal(found[0].values, found[1].values, equal_nan=True)


def test_futures_begin_where_arrivals_were_as_frequent_as_lately():
    submitted = np.cumsum([*[1.0] * 500, *[100.0] * 500])
    figures = np.array([[9.0], [0.0], [0.0]])
    jobs = [ArrivedJob(at, 50.0, 1.0, np.inf, (Shape(0, 1, 0),), figures) for at in submitted]
    arrivals = ArrivalHistory.of([jobs])
    playouts = Playouts(named("sjf").scorer, arrivals, SearchSettings(), PlayoutObjective())
    busy, quiet = playouts.starts(Lately(15.0, 0.0)), playouts.starts(Lately(1500.0, 50.0))
    assert len(busy) == 50
    assert (busy < 500).all()
    assert (np.sort(quiet)[5:] > 500).all()
    assert (arrivals.gap[quiet] > 50.0).all()
    assert len(playouts.starts(None)) == 1000
    assert len(playouts.starts(Lately(15.0, 99.0))) >= 16


def test_out_of_time_only_whole_futures_count():
    policy, spec = named("saf"), ClusterSpec(ONE, Mode.EASY)
    _, round_ = at_choice(spec, policy, 0)
    arrivals = to_come(spec, policy, 0, round_.now)
    playouts = Playouts(policy.scorer, arrivals, SearchSettings(), PlayoutObjective())
    whole = playouts.search(round_.world, np.random.default_rng(1))
    left = iter([True] * 5 + [False])
    part = playouts.search(round_.world, np.random.default_rng(1), lambda: next(left))
    assert part.values.tolist() == whole.values[:, :5].tolist()
    assert playouts.search(round_.world, np.random.default_rng(1), lambda: False) is None


@pytest.mark.parametrize(
    ("gains", "margin", "best"),
    [
        ([[0, 0, 0, 0], [4, 5, 6, 5]], 1.0, 1),
        ([[0, 0, 0, 0], [9, -9, 9, -5]], 1.0, 0),
        ([[0, 0, 0, 0], [9, -9, 9, -5]], 0.0, 1),
        ([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]], 2.0, 2),
        ([[0, 0, 0], [4, 5, 6]], 1.0, 0),
        ([[0, 0, 0, 0], [-1, -1, -1, -1]], 1.0, 0),
        ([[0, 0, 0, 0], [9, 9, 9, np.nan], [1, 1, 1, 1]], 1.0, 2),
        ([[0, 0, 0, np.nan], [-9, -9, -9, np.nan]], 1.0, 0),
    ],
)
def test_the_own_choice_yields_only_to_one_that_is_better_by_the_margin(gains, margin, best):
    assert best_of(100.0 - np.array(gains, dtype=np.float64), margin) == best
