"""The benchmark of searching, on short sequences."""

from benchmarks import searched
from benchmarks.policy.cases import FILES, fresh, training_arrivals
from scheduler.policies.lookup import named


def test_futures_are_of_other_files_than_sequences():
    workload, _ = fresh(0, 1024)
    arrivals = training_arrivals()
    assert len(arrivals) == FILES * len(workload.jobs)
    runtimes = {job.runs[0].runtime_s for job in workload.jobs}
    assert len(runtimes.intersection(arrivals.figures[0].tolist())) < 0.5 * len(runtimes)


def test_a_sequence_is_played_alone_and_searched():
    workload, start = fresh(0, 1024)
    for mode in searched.MODES.values():
        alone, found = searched.pair(workload, start, mode, named("fcfs"), jobs=48)
        assert 1.0 <= found <= alone * 1.2
