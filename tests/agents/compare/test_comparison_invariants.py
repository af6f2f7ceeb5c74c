"""What must never happen is seen, and what may is not complained about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.evaluation.invariants import InvariantError, check
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from tests.support.comparison_worlds import held, log, outcome

POOL = Pool("gpu", DeviceKind.CUDA, "T4", 2, nodes=2, memory_per_node=10)


def verify(made, *attempts, jobs=None):
    check(made, log(*attempts), (POOL,), range(1, len(made.job) + 1) if jobs is None else jobs)


def two(**figures):
    return outcome([0, 0], [0, 5], [5, 10], **figures)


def test_one_may_start_where_another_ends():
    whole = ((0, 2),)
    made = two(width=[2, 2])
    verify(made, held(1, 0, 5, whole, memory=10), held(2, 5, 10, whole, memory=10))


@pytest.mark.parametrize(
    ("made", "attempts", "words"),
    [
        (two(), [held(1, 0, 5, ((0, 2),)), held(2, 4, 10)], "holds 3 of 2 devices at 4 s"),
        (
            two(),
            [held(1, 0, 6, memory=6), held(2, 5, 10, memory=6)],
            "holds 12 of 10 bytes at 5 s",
        ),
        (two(), [held(1, 0, 5), held(2, 5, 10, ((2, 1),))], "job 2 is on a node that does not"),
        (two(), [held(1, 0, 5), held(2, 5, 10, pool=1)], "job 2 is on a node that does not"),
        (two(), [held(1, 0, 5), held(2, 5, 9)], "job 2 held fewer device-seconds"),
        (two(), [held(1, 0, 5), held(2, 5, 10), held(2, 7, 10)], "job 2 runs twice at once"),
        (two(), [held(1, 0, 5), held(2, 10, 5)], "job 2 is held backwards"),
        (two(), [held(1, 0, 5), held(2, 5, 10), held(3, 5, 10)], "never arrived"),
        (two(capacity=5), [held(1, 0, 5), held(2, 5, 10)], "5 devices"),
        (two(dollars=np.array([1, np.nan])), [held(1, 0, 5), held(2, 5, 10)], "sensible dollars"),
        (two(idle_dollars=-1.0), [held(1, 0, 5), held(2, 5, 10)], "idle nodes cost -1"),
        (
            outcome([6, 0], [5, 5], [10, 10]),
            [held(1, 5, 10), held(2, 5, 10)],
            "job 1 started before it arrived",
        ),
        (
            two(runtime=np.array([9.0, 5.0])),
            [held(1, 0, 5), held(2, 5, 10)],
            "job 1 ended sooner than it can run",
        ),
        (outcome([0, 0], [0, 5], [5, np.nan]), [held(1, 0, 5)], "job 2 never ended"),
    ],
)
def test_what_must_not_happen_is_named(made, attempts, words):
    with pytest.raises(InvariantError, match=words):
        verify(made, *attempts)


def test_lost_and_invented_jobs_are_seen():
    with pytest.raises(InvariantError, match="not those that arrived"):
        verify(two(), held(1, 0, 5), held(2, 5, 10), jobs=[1, 2, 3])


def test_an_attempt_on_several_nodes_is_one_attempt():
    made = outcome([0], [0], [5], width=[3])
    verify(made, held(1, 0, 5, ((0, 2), (1, 1))))


def test_a_job_that_was_preempted_may_run_again_and_be_short():
    figures = {"runtime": np.array([7.0]), "ideal": np.array([7.0]), "attempts": np.array([2])}
    verify(outcome([0], [0], [9], **figures), held(1, 0, 3), held(1, 5, 9))
    with pytest.raises(InvariantError, match="job 1 worked for less"):
        verify(outcome([0], [0], [9], **figures), held(1, 0, 3), held(1, 5, 8))
    lost = outcome([0], [0], [9], **figures | {"wasted": np.array([2.0])})
    with pytest.raises(InvariantError, match="job 1 worked for less"):
        verify(lost, held(1, 0, 3, ((0, 1), (1, 1))), held(1, 5, 9))


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 1), st.integers(1, 2)),
        min_size=1,
        max_size=8,
    )
)
def test_oversubscription_is_found_like_by_counting_every_second(drawn):
    starts = [start for start, *_ in drawn]
    ends = [start + length for start, length, *_ in drawn]
    made = outcome(starts, starts, ends, width=[width for *_, width in drawn])
    attempts = [
        held(job, start, start + length, ((node, width),))
        for job, (start, length, node, width) in enumerate(drawn, 1)
    ]
    used = np.zeros((2, 13), dtype=int)
    for start, length, node, width in drawn:
        used[node, start : start + length] += width
    if used.max() > 2:
        with pytest.raises(InvariantError, match="devices at"):
            verify(made, *attempts)
    else:
        verify(made, *attempts)
