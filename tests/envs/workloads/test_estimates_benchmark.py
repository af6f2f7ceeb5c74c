"""The benchmark of estimates, on small logs."""

import gzip
import json
import random

import numpy as np
import pytest

from benchmarks.estimates import __main__ as benchmark
from benchmarks.estimates.predictors import PointEstimates, Stated, played
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.runtime_estimates import Tsafrir


def workload(runtimes, requested=None):
    jobs = [
        Arrival(at, 10.0 * at, (WorkloadRun("any", 1, runtime),), requested, user="ann")
        for at, runtime in enumerate(runtimes, 1)
    ]
    return Workload("jobs", tuple(jobs))


def test_it_prints_a_row_for_each_method_and_skips_what_is_missing(tmp_path, capsys):
    generator, lines = random.Random(1), ["timestamp,duration,num_gpus,cluster"]
    for at in range(400):
        seconds = generator.choice([60, 600]) + generator.random()
        lines.append(f"2017-10-{1 + at // 24:02}T{at % 24:02}:00:00,{seconds},1,vc{at % 3}")
    (tmp_path / "philly").mkdir()
    with gzip.open(tmp_path / "philly/philly.csv.gz", "wt") as file:
        file.write("\n".join(lines))
    assert benchmark.main([str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert {row["method"] for row in rows} == set(benchmark.METHODS)
    assert len({row["jobs"] for row in rows}) == 1 + benchmark.WINDOWS
    learned = next(row for row in rows if row["method"] == "learned")
    assert learned["coverage_95"] > 0.85
    assert "kth: skipped, there is no" in printed.err
    assert benchmark.main([str(tmp_path)]) == 0
    assert "learned" in capsys.readouterr().out


def test_no_prediction_knows_the_truth_of_its_own_job_or_of_a_later_one():
    runtimes = [5.0, 70.0, 9.0, 2000.0, 30.0, 8.0, 41.0] * 6
    for predict in benchmark.METHODS.values():
        whole = predict(workload(runtimes))
        for at in range(0, len(runtimes), 5):
            other = [*runtimes[:at], *(3 * runtime for runtime in runtimes[at:])]
            np.testing.assert_array_equal(predict(workload(other))[: at + 1], whole[: at + 1])


def test_without_a_request_the_default_is_stated():
    assert np.exp(played(workload([5.0]), Stated())[0]) == pytest.approx([300.0] * 7)
    assert np.exp(played(workload([5.0], 50.0), Stated())[0, 0]) == pytest.approx(50.0)
    assert np.exp(played(workload([5.0]), PointEstimates(Tsafrir()))[0, 0]) == pytest.approx(300.0)
