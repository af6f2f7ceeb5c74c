"""The same decisions, simulated and live: one workload through both, equal placement logs.

The service runs whole (store, dispatcher, launcher) with a fake executor on a manual clock. Its
estimator is told what the simulator's believes; true runtimes are known to the simulator and to
the executor alone. Estimates are never too short: what happens then is each side's own business.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from agents.registry.registry import offer
from envs.scenarios.scenario import Failures
from envs.scenarios.supply import Supply
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.random_events import RandomEvents
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.runtime_estimates import Exact
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import mode_of
from scheduler.decisions.rounds.run import best
from scheduler.decisions.state.usage import Allowance, SharingRules
from scheduler.domain.elastic_pools import Elasticity, ElasticPool
from scheduler.domain.groups.projects import Project, Quota
from scheduler.domain.jobs import Estimate, JobKind, Profile
from scheduler.domain.nodes import NodeFacts, NodeState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request
from scheduler.estimates.estimator import Estimator
from scheduler.hardware.inventory import Inventory
from scheduler.policies import lookup
from scheduler.service.components import Components
from scheduler.service.nodes.cluster_nodes import REPAIR_S
from scheduler.service.paths import Paths
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.service import Service
from scheduler.testing.clock import ManualClock
from scheduler.testing.elastic_executor import ElasticFakeExecutor
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec
from tests.support.thinning import thinned

POOLS = (
    Pool("cpu", DeviceKind.CPU, "CPU", 4, nodes=2, dollars_per_device_hour=0.5),
    Pool("gpu", DeviceKind.CUDA, "GPU", 2, dollars_per_device_hour=2.0, watts_per_device=250.0),
)
START = 1000.0
HALF_LIFE_S = 600.0
CASES = [
    ("wgc", Mode.GREEDY),
    ("fcfs", Mode.EASY),
    ("sjf", Mode.NONE),
    ("f1", Mode.COMMIT_EASY),
    ("best-value", Mode.EASY),
    ("made:greedy", Mode.EASY),
]
LEARNED = ("learned:fulcrum", Mode.GREEDY)


class Made:
    """wgc as if it had been made for one mode, as learned policies are."""

    def __init__(self, mode):
        self.name, self.mode, self.stable = f"made:{mode}", Mode(mode), False
        self.scores, self.costs = lookup.WGC.scores, lookup.WGC.costs


lookup.register("made", Made)


class Believes(Exact):
    """The truth and a part of it more, by job."""

    def __init__(self, factors):
        self._factors = factors

    def estimate(self, job, run):
        return run.runtime_s * self._factors[job.id]


class Told(Estimator):
    """Says of each job, known by its profile, what the simulator's estimator says."""

    def __init__(self, table: Mapping[tuple[str, str, int], float]) -> None:
        super().__init__()
        self._table = table

    def estimate(self, spec, pool, width):
        runtime = self._table[spec.profile.key, pool.name, width]
        seconds = runtime * width
        dollars = seconds / 3600 * pool.dollars_per_device_hour
        return Estimate(runtime, dollars, seconds * pool.watts_per_device, "history")

    def observe(self, measurement):
        """Knows all there is to know."""


def workload(seed):
    """40 jobs at distinct times, rigid and moldable, on one pool or both."""
    rng = np.random.default_rng(seed)
    jobs, now = [], START
    for job in range(1, 41):
        size = float(rng.lognormal(4.0, 1.0))
        widths = range(1, 1 + int(rng.integers(1, 4)))
        kinds = [["cpu"], ["cuda"], ["cpu", "cuda"]][rng.integers(3)]
        runs = [WorkloadRun("cpu", width, size / width**0.9) for width in widths if "cpu" in kinds]
        runs += [
            WorkloadRun("cuda", width, size / 4 / width) for width in widths[:2] if "cuda" in kinds
        ]
        jobs.append(
            Arrival(job, now, tuple(runs), priority=50.0, preference=float(rng.uniform(0.5, 1.0)))
        )
        now += float(rng.exponential(25.0))
    factors = {job.id: 1.0 + float(rng.exponential(0.5)) for job in jobs}
    return Workload(f"parity-{seed}", tuple(jobs), origin=START), factors


def in_whole_steps(load, factors):
    """The same with times that floating-point numbers add exactly.

    A job that comes to a node that boots waits for the rest of the boot, which is a difference.
    """

    def step(value, steps=1024):
        return max(1, round(value * steps)) / steps

    jobs = tuple(
        replace(
            job,
            submitted_at=step(job.submitted_at),
            runs=tuple(replace(run, runtime_s=step(run.runtime_s)) for run in job.runs),
        )
        for job in load.jobs
    )
    return replace(load, jobs=jobs), {job: step(share, 64) for job, share in factors.items()}


def simulated(load, factors, name, mode):
    spec = ClusterSpec(POOLS, mode)
    simulation = Simulation(load, spec, Believes(factors), check=True)
    outcome = simulation.run(lookup.named(name))
    return log(outcome)


def pulled(load, factors, name, mode):
    """As an environment does it: choice by choice."""
    policy = lookup.named(name)
    spec = ClusterSpec(POOLS, mode_of(policy, mode))
    simulation = Simulation(load, spec, Believes(factors))
    while (round_ := simulation.next()) is not None:
        while (table := round_.table()) is not None:
            position = best(table, policy.scores(table), policy) if round_.free else 1
            round_.take(int(table.rows[position]))
        simulation.commit(round_.plan(name))
    return log(simulation.outcome())


def log(outcome):
    """(job, start, pool, width), in order of the jobs."""
    pools = [POOLS[index].name for index in outcome.pool]
    starts = outcome.started.tolist()
    return list(zip(outcome.job.tolist(), starts, pools, outcome.width.tolist(), strict=True))


def live(load, factors, name, mode, folder, outages=(), pools=POOLS, elastic=(), projects=None):
    """The attempts of each job.

    `projects`: those that share the cluster; None: projects do not matter.

    `outages`: (time, pool, number of the node) at which a node is gone for `REPAIR_S`.
    `elastic`: those of the pools whose nodes boot.
    """
    clock = ManualClock(START)
    truth = {
        (f"job-{job.id}", kind_of(run), run.width): run.runtime_s
        for job in load.jobs
        for run in job.runs
    }
    pool_of = {pool.kind: pool.name for pool in pools}

    def runtime(order):
        job = store.job(int(order.attempt.partition(".")[0]))
        return truth[job.spec.profile.key, pool_of[order.part.device_kind], order.width]

    told = {
        (f"job-{job.id}", kind_of(run), run.width): run.runtime_s * factors[job.id]
        for job in load.jobs
        for run in job.runs
    }
    store = MemoryStore()
    boot_s = {pool.name: pool.boot_s for pool in pools}
    executor = ElasticFakeExecutor(clock, runtime, elastic, boot_s)
    executor.known_nodes = {
        f"{pool.name}-{at}": NodeFacts(f"{pool.name}-{at}")
        for pool in pools
        for at in range(pool.nodes)
    } | executor.known_nodes
    priority = lookup.named("priority")
    service = Service(
        Components(
            store=store,
            executor=executor,
            inventory=Inventory(
                pools,
                {pool.name: tuple(map(str, range(pool.count))) for pool in pools},
                {},
                {},
                nodes={
                    pool.name: tuple(f"{pool.name}-{at}" for at in range(pool.nodes))
                    for pool in pools
                },
            ),
            estimator=Told(told),
            active_policy=ActivePolicy(
                lookup.named, priority, name=name, mode=mode, preference=0.5
            ),
            policies=lookup.names(),
            folders=Paths(folder),
            clock=clock,
            origin=START,
            projects=projects or {},
            fair_share=projects is not None,
            half_life_s=HALF_LIFE_S,
        )
    )
    service.start(threaded=False)

    def settle():
        service.dispatcher.step(clock.now())
        while executor.deliver():
            service.dispatcher.step(clock.now())

    changes = sorted(
        (at + wait, pool, number, state)
        for at, pool, number in outages
        for wait, state in ((0.0, NodeState.DOWN), (REPAIR_S, NodeState.UP))
    )

    def change_nodes(at):
        clock.advance_to(at)
        while changes and changes[0][0] == at:
            _, pool, number, state = changes.pop(0)
            node = f"{pool}-{number}"
            executor.change_nodes(NodeFacts(node, state, at))
            for attempt in executor.running:
                parts = executor.specs[attempt].parts
                if state is NodeState.DOWN and any(part.node == node for part in parts):
                    executor.lose(attempt)
        settle()

    def run_until(moment):
        while True:
            due = changes[0][0] if changes else np.inf
            at = executor.next_event_time()
            if min(at, due) > moment:
                return
            if due < at:
                change_nodes(due)
            else:
                executor.advance(at)
                settle()

    for job in load.jobs:
        run_until(job.submitted_at)
        clock.advance_to(job.submitted_at)
        service.jobs.submit([spec_of(job)], actor="ann")
        settle()
    run_until(np.finfo(float).max)
    attempts = [store.attempts(job.id) for job in load.jobs]
    service.stop()
    return attempts


def kind_of(run):
    return "cpu" if run.device == "cpu" else "gpu"


def spec_of(job):
    devices = tuple(dict.fromkeys(run.device for run in job.runs))
    widths = [run.width for run in job.runs]
    return job_spec(
        kind=JobKind.COMMAND,
        profile=Profile(f"job-{job.id}", 1.0),
        request=Request(devices, min(widths), max(widths)),
        priority=int(job.priority),
        preference=job.preference,
        project=job.project,
    )


@pytest.mark.parametrize("seed", thinned(range(6), 2))
@pytest.mark.parametrize(("name", "mode"), CASES, ids=[name for name, _ in CASES])
def test_placements_are_equal_when_projects_share_the_cluster(name, mode, seed, tmp_path):
    load, factors = workload(seed)
    names = ("vision", "vision", "speech", "robots")
    jobs = tuple(replace(job, project=names[job.id % 4]) for job in load.jobs)
    load = replace(load, jobs=jobs)
    quota = Quota(devices=5)
    projects = {"vision": Project("vision", 3.0), "robots": Project("robots", 1.0, quota)}
    rules = SharingRules(
        {each.name: Allowance(each.share, each.hard.devices) for each in projects.values()},
        HALF_LIFE_S,
    )
    spec = ClusterSpec(POOLS, mode, sharing=rules)
    outcome = Simulation(load, spec, Believes(factors), check=True).run(lookup.named(name))
    attempts = live(load, factors, name, mode, tmp_path, projects=projects)
    assert [(a.job, a.placed_at, a.pool, a.width) for (a,) in attempts] == log(outcome)


@pytest.mark.parametrize("seed", thinned(range(20), 6))
@pytest.mark.parametrize(("name", "mode"), CASES, ids=[name for name, _ in CASES])
def test_placements_are_equal_simulated_pulled_and_live(name, mode, seed, tmp_path):
    load, factors = workload(seed)
    expected = simulated(load, factors, name, mode)
    assert pulled(load, factors, name, mode) == expected
    attempts = live(load, factors, name, mode, tmp_path)
    assert all(len(tries) == 1 for tries in attempts)
    assert [(a.job, a.placed_at, a.pool, a.width) for (a,) in attempts] == expected


@pytest.mark.parametrize(
    ("name", "mode"),
    thinned([*CASES, LEARNED], 2),
    ids=[name for name, _ in (*CASES, LEARNED)],
)
def test_placements_are_equal_when_nodes_break_down(name, mode, tmp_path, monkeypatch):
    offer()
    # One node for each pool: which of two equal nodes a job takes is each side's own business.
    pools = tuple(replace(pool, devices_per_node=pool.count, nodes=1) for pool in POOLS)
    outages = [(START + 150.25, "cpu", 0), (START + 260.5, "gpu", 0)]
    script = {("cpu", "gpu").index(pool): at for at, pool, _ in outages}
    monkeypatch.setattr(
        RandomEvents,
        "breakdown",
        lambda _self, pool, _node, life, _rate: script[pool] if life == 1 else np.inf,
    )
    failures = Failures(per_node_hour=1e-9, repair_s=REPAIR_S, checkpoint_s=0.0, restart_s=0.0)
    spec, lost = ClusterSpec(pools, mode, failures=failures), 0
    for seed in range(8):
        load, factors = workload(seed)
        outcome = Simulation(load, spec, Believes(factors), check=True).run(lookup.named(name))
        attempts = live(load, factors, name, mode, tmp_path / str(seed), outages, pools)
        found = [(tries[0].placed_at, tries[-1].finished_at) for tries in attempts]
        assert found == list(zip(outcome.started.tolist(), outcome.ended.tolist(), strict=True))
        lost += sum(len(tries) - 1 for tries in attempts)
    assert lost > 0


IDLE_S = 45.125


@pytest.mark.parametrize(("name", "mode"), thinned(CASES, 2), ids=[name for name, _ in CASES])
def test_placements_are_equal_when_nodes_boot_and_are_shut_down(name, mode, tmp_path):
    # One node for each pool, as above.
    pools = (
        replace(POOLS[0], devices_per_node=8, nodes=1, boot_s=20.5),
        replace(POOLS[1], boot_s=40.25),
    )
    supplies = tuple(Supply(pool, 0, IDLE_S) for pool in pools)
    elastic = tuple(
        ElasticPool(pool.name, pool.kind, pool.model, pool.count, pool.nodes, Elasticity(0, IDLE_S))
        for pool in pools
    )
    spec, waits = ClusterSpec(pools, mode, supplies=supplies), []
    for seed in range(8):
        load, factors = in_whole_steps(*workload(seed))
        outcome = Simulation(load, spec, Believes(factors), check=True).run(lookup.named(name))
        attempts = live(load, factors, name, mode, tmp_path / str(seed), (), pools, elastic)
        assert all(len(tries) == 1 for tries in attempts)
        found = [(a.pool, a.width, a.started_at, a.finished_at) for (a,) in attempts]
        expected = zip(
            [pools[index].name for index in outcome.pool],
            outcome.width.tolist(),
            outcome.started.tolist(),
            outcome.ended.tolist(),
            strict=True,
        )
        assert found == list(expected)
        waits += [a.started_at - a.placed_at for (a,) in attempts if a.pool == "gpu"]
    assert waits.count(40.25) > 8  # it was shut down meanwhile, and booted again
    assert 0.0 in waits
    assert any(0.0 < wait < 40.25 for wait in waits)
