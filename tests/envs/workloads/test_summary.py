import math

import pytest

from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.summary import describe, plot
from scheduler.domain.errors import InputError

WORKLOAD = Workload(
    "w",
    (
        Arrival(
            1, 0.0, (WorkloadRun("cuda", 2, 30.0), WorkloadRun("cpu", 1, 90.0)), 60.0, user="ann"
        ),
        Arrival(2, 10.0, (WorkloadRun("cuda", 4, 10.0),), user="bob", deadline=50.0),
        Arrival(3, 40.0, (WorkloadRun("cpu", 1, 0.0),), 5.0, user="bob"),
    ),
    skipped=("line 9: negative runtime",),
)


def test_describe():
    found = describe(WORKLOAD, processors=5)
    assert (found.jobs, found.skipped, found.users, found.deadlines) == (3, 1, 2, 1)
    assert (found.span_s, found.device_seconds) == (40.0, 100.0)
    assert found.load == pytest.approx(0.5)
    assert found.devices == {"cuda": 2, "cpu": 2}
    assert (found.size.mean, found.size.max) == (pytest.approx(7 / 3), 4.0)
    assert (found.runtime_s.p50, found.interarrival_s.p50) == (10.0, 20.0)
    # Of a job that took no time, the ratio says nothing.
    assert found.estimate_factor.mean == 2.0


def test_one_job_has_no_load():
    found = describe(WORKLOAD.window(0, 1), processors=5)
    assert found.load is None
    assert found.interarrival_s.max == 0.0
    assert describe(WORKLOAD).load is None
    assert all(not math.isnan(value) for value in (found.size.std, found.runtime_s.p99))
    with pytest.raises(InputError, match="holds no job"):
        describe(WORKLOAD.window(0, 0))


@pytest.mark.parametrize("jobs", [1, 3])
def test_plot(tmp_path, jobs):
    plot(WORKLOAD.window(0, jobs), tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    for file in (tmp_path / "w.mp3", tmp_path / "none" / "w.png"):
        with pytest.raises(InputError, match="cannot be written"):
            plot(WORKLOAD, file)
