"""Where jobs can run, what an attempt there costs, and that decisions are told so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.placements import FeasiblePlacements
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

POOLS = (
    Pool("cpu", DeviceKind.CPU, "EPYC", 4, nodes=2, dollars_per_device_hour=0.3),
    Pool("v100", DeviceKind.CUDA, "V100", 2, dollars_per_device_hour=2.5, watts_per_device=250.0),
    Pool("k80", DeviceKind.CUDA, "K80", 8, memory_per_node=64, dollars_per_device_hour=0.45),
)
seconds = st.floats(1e-3, 1e6)
runs = st.lists(
    st.builds(
        WorkloadRun, st.sampled_from(["any", "cuda", "cpu", "K80"]), st.integers(1, 3), seconds
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda run: (run.device, run.width),
)


def arrival(*ways, memory=0):
    return Arrival(1, 0.0, tuple(ways), memory_bytes=memory)


def test_a_kind_means_all_its_pools_and_a_model_one():
    places = FeasiblePlacements(POOLS).of(
        arrival(WorkloadRun("cuda", 2, 60.0), WorkloadRun("EPYC", 1, 90.0))
    )
    assert list(places.places) == [(1, 2), (2, 2), (0, 1)]
    assert places.run.tolist() == [0, 0, 1]


def test_the_first_run_that_names_a_place_counts():
    places = FeasiblePlacements(POOLS).of(
        arrival(WorkloadRun("K80", 1, 5.0), WorkloadRun("cuda", 1, 7.0))
    )
    assert places.run[places.places[2, 1]] == 0
    assert places.run[places.places[1, 1]] == 1


def test_a_pool_that_cannot_hold_the_memory_or_the_width_is_left_out():
    known = FeasiblePlacements(POOLS)
    assert list(known.of(arrival(WorkloadRun("cuda", 1, 5.0), memory=65)).places) == [(1, 1)]
    assert list(known.of(arrival(WorkloadRun("cuda", 4, 5.0))).places) == [(2, 4)]
    with pytest.raises(InfeasibleError, match="job 1 fits no pool"):
        known.of(arrival(WorkloadRun("cuda", 9, 5.0)))


@given(runs, st.integers(0, 1), st.floats(1.0, 1e5))
def test_decisions_are_told_each_placement_with_its_cost(ways, memory, submitted):
    """Seconds, dollars and joules of every row, to the last bit."""
    job = Arrival(1, submitted, tuple(ways), memory_bytes=memory, priority=70.0, deadline=1e6)
    simulation = Simulation(Workload("one", (job,)), ClusterSpec(POOLS, preference=0.25))
    assert simulation.next() is not None
    (told,) = waiting_jobs(simulation.world)
    assert (told.id, told.submitted_at, told.priority, told.deadline) == (1, submitted, 70.0, 1e6)
    assert told.preference == 0.25
    places = FeasiblePlacements(POOLS).of(job)
    assert [(option.pool, option.width) for option in told.options] == list(places.places)
    for option, run in zip(told.options, places.run, strict=True):
        lasts, pool = ways[run].runtime_s, POOLS[option.pool]
        assert option.memory == memory
        assert option.runtime_s == lasts
        assert option.dollars == lasts * option.width / 3600 * pool.dollars_per_device_hour
        assert option.joules == lasts * option.width * pool.watts_per_device
