"""NAME+search: it helps where the policy errs, and changes nothing where it cannot know better."""

import re
from dataclasses import replace

import numpy as np
import pytest

from envs.clock import CompiledSimulation
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Arrival as Job
from envs.workloads.base import Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.search.playouts import Playouts
from scheduler.decisions.search.settings import SearchSettings
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import ANY, DeviceKind
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import builtin, named
from scheduler.policies.search import SearchedPolicy, limited

SMALL = SearchSettings(jobs=4, futures=8, length=16)
SPEC = ClusterSpec((Pool("gpu", DeviceKind.CUDA, "GPU", 2),), Mode.EASY)


def mixed(seed=0, jobs=100):
    """Long jobs among many short ones, and a queue."""
    rng = np.random.default_rng(seed)
    submitted = np.cumsum(rng.exponential(60.0, jobs))
    seconds = np.where(rng.random(jobs) < 0.15, 900.0, 20.0)
    made = (
        Job(number, float(at), (WorkloadRun(ANY, 1, float(long)),))
        for number, at, long in zip(range(1, jobs + 1), submitted, seconds, strict=True)
    )
    return Workload("mixed", tuple(made))


def searched(name, **figures):
    return replace(named(f"{name}+search"), settings=SMALL, **figures)


def run(policy, workload=None):
    return CompiledSimulation(workload or mixed(), SPEC).run(policy)


def test_a_policy_that_errs_gets_better():
    for seed in range(3):
        jobs = mixed(seed)
        alone, better = run(named("fcfs"), jobs), run(searched("fcfs"), jobs)
        assert better.jct.mean() < 0.8 * alone.jct.mean()


def test_a_policy_that_is_right_gets_no_worse():
    alone, same = run(named("sjf")), run(searched("sjf"))
    assert same.jct.mean() < 1.02 * alone.jct.mean()


def test_equal_simulations_get_equal_choices():
    policy = searched("fcfs")
    first = run(policy).ended
    assert first.tolist() == run(policy).ended.tolist() == run(searched("fcfs")).ended.tolist()


def test_before_it_has_seen_arrivals_the_policy_decides_alone():
    few = mixed(jobs=20)
    assert run(named("fcfs+search"), few).ended.tolist() == run(named("fcfs"), few).ended.tolist()


@pytest.mark.parametrize("name", ["f1", "wgc", "learned:fulcrum"])
def test_every_policy_with_a_compiled_scorer_can_be_searched(name):
    import agents.registry.resolve  # noqa: F401  # learned policies are found

    policy = searched(name)
    assert policy.name == f"{name}+search"
    assert np.isfinite(run(policy, mixed(jobs=50)).ended).all()


@pytest.mark.parametrize("name", ["tetris+search", "srtf+search", "f1+search+search"])
def test_others_cannot(name):
    with pytest.raises(InputError, match="no compiled scorer"):
        named(name)


def test_the_names_of_searched_heuristics_are_the_packages_own():
    assert builtin("f1+search")
    assert not builtin("learned:fulcrum+search")


def queue():
    """A round in which a long job is first, after enough arrivals to draw futures from."""
    policy = searched("fcfs")
    simulation = CompiledSimulation(mixed(), SPEC)
    while (round_ := simulation.next()) is not None:
        found = policy.search(round_.world)
        if found is not None and found.best:
            return policy, round_
        simulation.commit(decide(round_, named("fcfs")))
    raise AssertionError("there is no such round")


def test_it_says_what_it_tried():
    policy, round_ = queue()
    guard = Guard(policy, named("wgc"))
    decision = decide(round_, guard, observer(guard, Mode.EASY)).decisions[0]
    said = rf"starts on .*; tried \d choices on 8 likely futures: job {decision.job} first saves"
    assert re.match(said, decision.reason), decision.reason


def test_out_of_time_the_policy_decides():
    policy, round_ = queue()
    limited_ = limited(policy, 1e-9)
    assert limited_ is not policy
    plan = decide(round_, limited_)
    assert plan.placements[0].job == min(round_.world.waiting())


def test_the_time_is_for_a_whole_round():
    ticks = iter(range(10**6))
    policy = searched("fcfs", limit_s=30.0, clock=lambda: float(next(ticks)))
    run(policy)
    assert next(ticks) > 30
    assert policy._spent_s <= 40.0


def test_a_future_that_would_outlast_the_limit_is_not_begun(monkeypatch):
    """A long queue must not make a round wait: one slow future is enough to know."""
    now, plays = [0.0], []
    search = Playouts.search

    def slowly(*given):
        plays.append(now[0])
        found = search(*given)
        now[0] += 50.0
        return found

    monkeypatch.setattr(Playouts, "search", slowly)
    run(searched("fcfs", limit_s=1.0, clock=lambda: now[0]))
    begun = len(plays)
    plays.clear()
    run(searched("fcfs", limit_s=1e6, clock=lambda: now[0]))
    assert begun < len(plays) / 4


def test_a_limit_touches_only_policies_that_search():
    assert limited(named("fcfs"), 1.0) is named("fcfs")


def test_more_may_be_tried():
    wide = SearchedPolicy(named("fcfs"), settings=SearchSettings(jobs=6, futures=12, length=24))
    assert run(wide).jct.mean() < 0.8 * run(named("fcfs")).jct.mean()
