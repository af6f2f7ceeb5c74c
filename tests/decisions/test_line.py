"""The sorted line makes the plans of the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.rounds.sorted_queue import SortedQueue, walk
from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.queue import Backlog
from scheduler.decisions.state.world import Waiting
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import option, option_of, pool, snapshot, snapshots, waiting

STATIC = [heuristic for heuristic in HEURISTICS.values() if heuristic.rank is not None]


def singles(snap):
    """The snapshot's jobs, each with its first placement only."""
    queue = snap.queue
    for slot in range(1, len(queue.id)):
        yield Waiting(
            id=int(queue.id[slot]),
            submitted_at=float(queue.submitted[slot]),
            options=[option_of(queue, queue.rows_of(slot).start)],
            priority=float(queue.priority[slot]),
            deadline=float(queue.deadline[slot]),
        )


@given(snapshots(), st.sampled_from(list(Mode)))
def test_the_line_makes_the_plan_of_the_table(snap, mode):
    jobs = list(singles(snap))
    for policy in STATIC:
        line, backlog = SortedQueue(policy.rank, snap.queue.origin), Backlog(snap.queue.origin)
        for job in jobs:
            line.add(job)
            backlog.add(job)
        tables, lines = snap.cluster(), snap.cluster()
        now, committed = snap.now, ()
        for _ in range(3):
            plan = decide(Round(backlog.view(), tables, now, mode, committed), policy)
            assert walk(line, lines, now, mode, committed, policy.name) == plan
            committed = plan.reservations
            for placed in plan.placements:
                line.remove(placed.job)
                backlog.remove(placed.job)
            ends = sorted(tables.running())
            if not ends:
                break
            now = max(now, ends[0].end)
            tables.finish(ends[0].job)
            lines.finish(ends[0].job)


def test_a_job_with_several_placements_or_twice_is_refused():
    line = SortedQueue(HEURISTICS["fcfs"].rank)
    line.add(waiting(1, option(1.0)))
    with pytest.raises(ValueError, match="job 1 "):
        line.add(waiting(1, option(1.0)))
    with pytest.raises(ValueError, match="job 2 "):
        line.add(waiting(2, [option(1.0), option(2.0, 2)]))


def test_the_line_is_in_order_and_forgets():
    line = SortedQueue(HEURISTICS["sjf"].rank)
    for job, runtime in ((1, 5.0), (2, 1.0), (3, 3.0)):
        line.add(waiting(job, option(runtime), float(job)))
    line.remove(3)
    assert [entry.job.id for entry in line] == [2, 1]
    assert [entry.job.id for entry in line.oldest()] == [1, 2]
    assert line.entry(3) is None
    with pytest.raises(KeyError):
        line.remove(3)


def test_a_promised_job_that_starts_is_not_met_again():
    snap = snapshot(pool("pool", 4), [waiting(1, option(5.0, 2)), waiting(2, option(9.0))])
    line = SortedQueue(HEURISTICS["fcfs"].rank)
    for job in singles(snap):
        line.add(job)
    promise = Reservation(job=1, pool=0, width=2, memory=0, start=0.0)
    plan = walk(line, snap.cluster(), 0.0, Mode.COMMIT_FCFS, (promise,))
    assert [placed.job for placed in plan.placements] == [1, 2]
