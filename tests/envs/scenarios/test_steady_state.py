"""A scenario's workloads may have jobs around the counted ones, and some at the start."""

from dataclasses import replace

import numpy as np
import pytest

from agents.evaluation.run import Conditions, RunKey, run
from envs.scenarios import Split, WorkloadSource, load
from envs.workloads.lublin import Lublin
from envs.workloads.synthetic import Phase, Sweeps, Synthetic
from scheduler.domain.errors import InputError
from tests.support.comparison_worlds import scenario


def steady(jobs=40, **figures):
    around = {"warm_up": 0.5, "cool_down": 0.25, "population": True, **figures}
    tiny = scenario()
    return replace(tiny, source=replace(tiny.source, jobs=jobs, **around))


def test_counted_jobs_stand_between_those_that_warm_up_and_those_that_follow():
    plain, workload = steady(population=False).workload(0), steady().workload(0)
    assert plain.counted == (20, 60)
    assert len(plain.jobs) == 70
    there = len(workload.jobs) - 70
    assert there > 0
    assert workload.counted == (there + 20, there + 60)
    # The population changes no other job.
    for mine, its in zip(plain.jobs, workload.jobs[there:], strict=True):
        assert replace(its, id=mine.id) == mine
    assert [job.id for job in workload.jobs] == list(range(1, len(workload.jobs) + 1))


def test_jobs_of_a_workload_are_counted_ones():
    first, beyond = steady().workload(0, 8).counted
    assert beyond - first == 8
    assert scenario().workload(0, 8).counted is None


def test_a_run_tells_of_counted_jobs_alone_and_shows_all():
    made = steady()
    for policy in ("fcfs", "wgc"):
        found = run(made, RunKey(made.name, policy, 3), Conditions(timeline=3))
        shown, workload = found.timeline, made.workload(3, split=Split.TEST)
        counted = {job.id for job in workload.jobs[workload.counted_slice]}
        assert shown.counted == workload.counted_time
        assert set(shown.log.job.tolist()) > counted
        grey = np.isnan(shown.slowdown)
        assert grey.tolist() == [job not in counted for job in shown.log.job.tolist()]


def test_without_the_settings_the_digest_is_what_it_was():
    assert (
        load("hpc-lublin").digest
        == replace(
            load("hpc-lublin"), source=WorkloadSource(jobs=1024, lublin=Lublin(processors=256))
        ).digest
    )
    tiny = scenario()
    assert steady().digest != tiny.digest
    swept = replace(tiny.source, synthetic=Synthetic(sweeps=Sweeps(share=0.5)))
    tailed = replace(tiny.source, synthetic=Synthetic(training=Phase(tail_share=0.01)))
    assert len({tiny.digest, *(replace(tiny, source=each).digest for each in (swept, tailed))}) == 3


def test_only_models_that_can_draw_a_population_have_one():
    with pytest.raises(InputError, match="drawn only with synthetic jobs and with windows"):
        WorkloadSource(population=True, lublin=Lublin())
