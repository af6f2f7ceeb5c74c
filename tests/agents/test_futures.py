"""Futures of training workloads, and what a search counts in a comparison."""

from dataclasses import replace

import numpy as np
import pytest

from agents.evaluation.run import Conditions, RunKey, counting, run, simulation_of
from agents.training.futures import arrived
from benchmarks.placement_logs.cells import frozen
from envs.scenarios import Split, load
from scheduler.decisions.search.arrivals import ArrivalHistory
from scheduler.policies.lookup import named

MIXED = load("mixed-cloud")


@pytest.fixture(scope="module")
def drawn():
    return MIXED.draw(0)


def history(drawn, jobs):
    workloads = [MIXED.workload(seed, jobs, Split.TRAIN) for seed in range(2)]
    fcfs = named("fcfs")
    runs = [arrived(simulation_of(drawn, each, 0, fcfs), fcfs) for each in workloads]
    return workloads, ArrivalHistory.of(runs)


def test_futures_are_the_counted_jobs_of_workloads(drawn):
    workloads, arrivals = history(drawn, 40)
    jobs = [job for each in workloads for job in each.jobs[each.counted_slice]]
    assert len(arrivals) == len(jobs) == 80
    assert arrivals.priority.tolist() == [job.priority for job in jobs]
    gaps = np.diff([job.submitted_at for job in jobs[:40]])
    assert arrivals.gap[1:40] == pytest.approx(gaps)


def test_they_say_what_estimates_were_worth(drawn):
    _, arrivals = history(drawn, 60)
    ratio = arrivals.ratio
    assert (ratio > 0.0).all()
    assert len(np.unique(ratio)) > 60
    assert 0.7 < np.median(ratio) < 1.4


def test_a_search_counts_what_the_scenario_counts(drawn):
    policy = counting(named("wgc+search"), replace(drawn, preference=0.8))
    assert policy.objective.preference == 0.8
    assert policy.objective.seconds == 1.0 / drawn.objective.latency_scale
    assert policy.objective.dollars == 1.0 / drawn.objective.cost_scale_dollars
    assert policy.objective.miss == drawn.objective.missed_deadline
    assert counting(named("wgc"), drawn) is named("wgc")


def test_a_comparison_runs_policies_that_search():
    key = RunKey("mixed-cloud", "sjf+search", 0)
    # In steady state so many jobs are there already that this would take minutes.
    small = frozen("mixed-cloud")
    one, two = (run(small, key, Conditions(jobs=40)) for _ in range(2))
    assert one.metrics == two.metrics
    assert one.clock == "compiled"
