"""What keeps a cluster busy: load, sweeps, heavy tails, jobs that are wide, and those at time 0."""

from dataclasses import replace

import numpy as np
import pytest

from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads import synthetic
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.synthetic import People, Phase, Sweeps, Synthetic
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for
from scheduler.policies.lookup import named

FLOPS = figures_for(DeviceKind.CUDA, "NVIDIA Tesla V100").flops
GPUS = Pool("v100", DeviceKind.CUDA, "NVIDIA Tesla V100", 4, nodes=4, flops_per_device=FLOPS)
OLD = Pool("k80", DeviceKind.CUDA, "NVIDIA Tesla K80", 8, nodes=2, flops_per_device=FLOPS / 5)
ALONE = People(repeat=0.0)


def drawn(jobs=4000, pools=(GPUS,), seed=1, population=False, backlog=(0, 0), **figures):
    parameters = Synthetic(**{"people": ALONE, "training_share": 1.0, **figures})
    return synthetic.draw(parameters, pools, jobs, seed, population=population, backlog=backlog)


def work(workload):
    """Device-seconds of each job on as few of the fastest devices as it takes."""
    return np.array([job.runs[0].width * job.runs[0].runtime_s for job in workload.jobs])


@pytest.mark.parametrize("rigid", [0.0, 1.0])
def test_a_cluster_is_as_busy_as_the_load_says(rigid):
    """Where no job may choose a wider run, which takes more device time."""
    widths = ((1, 1.0),) if rigid == 0 else ((1, 0.5), (2, 0.3), (4, 0.2))
    phase = Phase(median_s=600, sigma=0.5, widths=widths, rigid_share=rigid)
    workload = drawn(3000, load=(0.8, 0.8), training=phase, startup_s=0.0)
    workload = replace(workload, counted=(500, 2500))
    outcome = Simulation(workload, ClusterSpec((GPUS,), Mode.EASY)).run(named("sjf"))
    offered = work(workload)[500:2500].sum() / (GPUS.count * outcome.load.seconds)
    assert outcome.utilisation == pytest.approx(offered, abs=0.03)
    assert outcome.utilisation == pytest.approx(0.8, abs=0.05)
    assert outcome.drained < 0.01


def test_a_slow_pool_counts_by_what_it_does():
    phase = Phase(widths=((1, 0.5), (4, 0.5)), rigid_share=1.0)
    workload = drawn(2000, (GPUS, OLD), load=(0.9, 0.9), training=phase, startup_s=0.0)
    size, weighed = work(workload), 0.0
    for job, mine in zip(workload.jobs, size.tolist(), strict=True):
        slow = min(run.runtime_s for run in job.runs if run.device == OLD.model)
        weighed += mine * (GPUS.count + OLD.count * job.runs[0].runtime_s / slow)
    load = size.sum() / (workload.jobs[-1].submitted_at * weighed / size.sum())
    assert load == pytest.approx(0.9, rel=0.01)


def test_sweeps_hold_the_share_of_jobs_and_are_of_one_work():
    sweeps = Sweeps(share=0.6, jobs=(4, 32), pause_s=5.0, sigma=0.2)
    workload = drawn(sweeps=sweeps)
    plain = drawn()
    pauses = np.diff([job.submitted_at for job in workload.jobs])
    assert (
        (pauses < 20).mean()
        > 0.5
        > 2 * (np.diff(sorted(j.submitted_at for j in plain.jobs)) < 20).mean()
    )
    # Jobs that follow one of the same user and work within a minute.
    latest, followers = {}, 0
    for job in workload.jobs:
        key = job.user, job.kind
        followers += job.submitted_at - latest.get(key, -np.inf) < 60
        latest[key] = job.submitted_at
    assert followers / len(workload.jobs) == pytest.approx(0.6, abs=0.15)
    again = [
        (one, other)
        for one, other in zip(workload.jobs, workload.jobs[1:], strict=False)
        if (one.user, one.kind) == (other.user, other.kind)
        and other.submitted_at - one.submitted_at < 20
    ]
    ratio = np.log([other.runs[0].runtime_s / one.runs[0].runtime_s for one, other in again])
    assert np.median(np.abs(ratio)) < 0.3 < np.std(np.log(work(plain)))


def test_one_job_in_a_hundred_may_hold_most_of_the_work():
    light = Phase(median_s=600, sigma=1.0, longest_s=1e6)
    heavy = replace(light, tail_share=0.01, tail_from=100.0, tail_shape=1.0)
    shares = []
    for phase in (light, heavy):
        ordered = np.sort(work(drawn(8000, training=phase)))[::-1]
        shares.append(ordered[:80].sum() / ordered.sum())
    assert shares[0] < 0.15
    assert shares[1] > 0.5


def test_rigid_jobs_run_on_their_width_alone():
    phase = Phase(widths=((1, 0.5), (8, 0.5)), rigid_share=0.5)
    widths = [{run.width for run in job.runs} for job in drawn(500, training=phase).jobs]
    assert {frozenset(each) for each in widths} == {
        frozenset({1}),
        frozenset({8}),
        frozenset({1, 2, 4, 8}),
    }
    # No pool has 8: they take the most that there are.
    small = replace(GPUS, nodes=1)
    assert {
        max(run.width for run in job.runs) for job in drawn(200, (small,), training=phase).jobs
    } == {1, 4}


def test_jobs_under_way_keep_the_load_of_the_devices_and_are_longer_than_others():
    phase = Phase(median_s=600, sigma=1.0)
    there, done, length = [], [], []
    for seed in range(40):
        workload = drawn(20, seed=seed, population=True, training=phase, load=(0.75, 0.75))
        first, _ = workload.counted
        there.append(sum(job.runs[0].width for job in workload.jobs[:first]))
        done += [job.done for job in workload.jobs[:first]]
        length += [job.runs[0].runtime_s for job in workload.jobs[:first]]
        assert all(job.submitted_at == 0 for job in workload.jobs[:first])
    assert np.mean(there) == pytest.approx(0.75 * GPUS.count, abs=1.0)
    assert np.mean(done) == pytest.approx(0.5, abs=0.05)
    # Length-biased: E[X²] ÷ E[X], which is e^(σ²) times the mean of a log-normal.
    plain = work(drawn(8000, training=phase)).mean()
    assert np.mean(length) / plain == pytest.approx(np.e, rel=0.25)


def test_a_backlog_waits_at_time_0_and_does_not_count():
    counts = set()
    for seed in range(12):
        workload = drawn(10, seed=seed, backlog=(5, 9))
        first, beyond = workload.counted
        counts.add(first)
        assert beyond - first == 10
        assert all(job.submitted_at == 0 and job.done == 0 for job in workload.jobs[:first])
        assert replace(workload.jobs[first], id=1) == drawn(10, seed=seed).jobs[0]
    assert min(counts) >= 5
    assert max(counts) <= 9
    assert len(counts) > 2


def test_a_window_holds_its_neighbours_and_what_would_still_run():
    runs = {number: (WorkloadRun("any", 1, runtime),) for number, runtime in enumerate([100, 5, 5])}
    jobs = tuple(
        Arrival(number, 10.0 * (number - 1), runs[min(number - 1, 2)], deadline=10.0 * number + 90)
        for number in range(1, 9)
    )
    window = Workload("log", jobs).window(4, 2, before=1, after=2, since=0)
    # The first job has run for 30 of its 100 s when the fourth, the first of the window, comes.
    assert [job.submitted_at for job in window.jobs] == [0, 0, 10, 20, 30, 40]
    assert [job.done for job in window.jobs] == [0.3, 0, 0, 0, 0, 0]
    assert [job.id for job in window.jobs] == [1, 2, 3, 4, 5, 6]
    assert window.counted == (2, 4)
    assert window.jobs[0].deadline == 70.0
    assert Workload("log", jobs).window(4, 2).counted is None
    with pytest.raises(InputError, match=r"has 8 jobs, not 3\.\.9"):
        Workload("log", jobs).window(4, 2, before=1, after=3)
