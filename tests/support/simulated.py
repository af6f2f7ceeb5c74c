"""Sites and workloads small enough to follow by hand, and random ones."""

from dataclasses import replace

from hypothesis import strategies as st

from envs.scenarios import Billing, Failures, Supply
from envs.simulator.simulation import ClusterSpec, Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.heuristics import HEURISTICS

FCFS = HEURISTICS["fcfs"]


def pool(name="cpu", devices=4, **figures):
    kind = DeviceKind.CUDA if name.startswith("gpu") else DeviceKind.CPU
    figures.setdefault("dollars_per_device_hour", 3600.0)
    return Pool(name=name, kind=kind, model=name, devices_per_node=devices, **figures)


def job(number, submitted, runtime, width=1, device="any", **figures):
    return Arrival(
        number, float(submitted), (WorkloadRun(device, width, float(runtime)),), **figures
    )


def workload(*jobs):
    return Workload("by hand", tuple(jobs))


def spec(*pools, mode=Mode.EASY, supplies=(), failures=None, every_event=False):
    failures = failures or Failures(checkpoint_s=0.0, restart_s=0.0)
    return ClusterSpec(pools, mode, every_event=every_event, supplies=supplies, failures=failures)


def elastic(pool, min_nodes=0, idle=100.0, **figures):
    return Supply(pool, min_nodes, idle, billing=Billing.UP, **figures)


def simulation(where, *jobs, estimator=None, origin=0.0, **figures):
    load = replace(workload(*jobs), origin=origin)
    return Simulation(load, where, estimator, check=True, record=True, **figures)


@st.composite
def specs(draw, mode):
    pools, supplies = [], []
    for index in range(draw(st.integers(1, 3))):
        each = pool(
            f"{draw(st.sampled_from(['cpu', 'gpu']))}{index}",
            draw(st.integers(1, 4)),
            nodes=draw(st.integers(1, 3)),
            memory_per_node=draw(st.sampled_from([0, 8])),
            boot_s=draw(st.sampled_from([0.0, 7.5])),
        )
        pools.append(each)
        if draw(st.booleans()):
            supplies.append(
                Supply(
                    each,
                    draw(st.integers(0, each.nodes)),
                    draw(st.sampled_from([0.0, 20.0])),
                    draw(st.sampled_from([0.0, 30.0])),
                    draw(st.sampled_from(list(Billing))),
                )
            )
    failures = Failures(
        per_node_hour=draw(st.sampled_from([0.0, 0.0, 20.0])),
        repair_s=draw(st.sampled_from([0.0, 50.0])),
        per_attempt=draw(st.sampled_from([0.0, 0.3])),
        retries=draw(st.integers(0, 2)),
        checkpoint_s=draw(st.sampled_from([0.0, 5.0])),
        restart_s=draw(st.sampled_from([0.0, 2.0])),
    )
    return ClusterSpec(
        tuple(pools),
        mode,
        every_event=draw(st.booleans()),
        supplies=tuple(supplies),
        failures=failures,
    )


@st.composite
def workloads(draw, pools, most=15):
    jobs, now = [], 0.0
    for number in range(1, 1 + draw(st.integers(1, most))):
        now += draw(st.sampled_from([0.0, 0.0, 1.0, 30.0]))
        runs = []
        for place in draw(st.lists(st.sampled_from(pools), min_size=1, max_size=2, unique=True)):
            width = draw(st.integers(1, place.count))
            runs.append(
                WorkloadRun(place.model, width, draw(st.sampled_from([0.5, 10.0, 25.0, 90.0])))
            )
        requested = draw(st.one_of(st.none(), st.sampled_from([5.0, 60.0])))
        deadline = draw(st.sampled_from([None, now + 40.0]))
        jobs.append(
            Arrival(
                number,
                now,
                tuple(runs),
                requested,
                deadline=deadline,
                priority=draw(st.sampled_from([20.0, 50.0])),
                user=draw(st.sampled_from("ab")),
            )
        )
    return workload(*jobs)
