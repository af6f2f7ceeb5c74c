"""EASY against a second program, written from the papers for one machine of equal processors.

Lifka, "The ANL/IBM SP scheduling system", 1995; Mu'alem and Feitelson, "Utilization,
predictability, workloads, and user runtime estimates in scheduling the IBM SP2 with backfilling",
TPDS 2001, figure 1.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.rounds.forecast import forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import option, pool, snapshot, waiting

PROCESSORS = 8


@dataclass(frozen=True)
class Job:
    number: int
    submitted: float
    width: int
    runtime: float


def easy(queue, running, now):
    """Jobs to start now, and (job, shadow time) of the first that has to wait.

    `queue`: the oldest first; `running`: (end, job, width) triples.
    """
    free = PROCESSORS - sum(width for _, _, width in running)
    running, queue, started = list(running), list(queue), []
    while queue and queue[0].width <= free:
        job = queue.pop(0)
        started.append(job)
        running.append((now + job.runtime, job.number, job.width))
        free -= job.width
    if not queue:
        return started, None
    first = queue.pop(0)
    available, shadow = free, now
    for end, _, width in sorted(running):
        if available >= first.width:
            break
        available, shadow = available + width, max(now, end)
    extra = available - first.width
    for job in queue:
        if job.width > free:
            continue
        if now + job.runtime > shadow:
            if job.width > extra:
                continue
            extra -= job.width
        started.append(job)
        free -= job.width
    return started, (first, shadow)


@st.composite
def machines(draw):
    """(jobs that wait, running (end, job, width) triples, now)."""
    seconds = st.one_of(st.integers(1, 20).map(float), st.floats(0.5, 50.0))
    now = draw(st.sampled_from([0.0, 100.0]))
    jobs = [
        Job(number, now - draw(st.integers(0, 9)), draw(st.integers(1, PROCESSORS)), draw(seconds))
        for number in range(1, 1 + draw(st.integers(0, 12)))
    ]
    running, free = [], PROCESSORS
    for number in range(1001, 1001 + draw(st.integers(0, 5))):
        if free:
            width = draw(st.integers(1, free))
            end = now + draw(seconds) - draw(st.sampled_from([0.0, 3.0]))
            running.append((end, number, width))
            free -= width
    return sorted(jobs, key=lambda job: (job.submitted, job.number)), running, now


def world(jobs, running, now):
    return snapshot(
        pool("sp2", PROCESSORS),
        [waiting(job.number, option(job.runtime, job.width), job.submitted) for job in jobs],
        [RunningAttempt(end, number, 0, ((0, width),)) for end, number, width in running],
        now,
    )


@settings(max_examples=300)
@given(machines())
def test_a_round_is_that_of_the_papers(machine):
    started, held = easy(*machine)
    plan = run_round(world(*machine), HEURISTICS["fcfs"], Mode.EASY)
    assert [placed.job for placed in plan.placements] == [job.number for job in started]
    expected = [] if held is None else [(held[0].number, held[1])]
    assert [(promise.job, promise.start) for promise in plan.reservations] == expected


@settings(max_examples=60)
@given(machines())
def test_a_history_is_that_of_the_papers(machine):
    queue, running, now = machine
    starts = {}
    while queue:
        started, _ = easy(queue, running, now)
        starts |= {job.number: (now, now + job.runtime) for job in started}
        queue = [job for job in queue if job not in started]
        running = [*running, *((now + job.runtime, job.number, job.width) for job in started)]
        if running:
            now = max(now, min(running)[0])
            running = [attempt for attempt in running if attempt[0] > now]
    found = forecast(world(*machine), HEURISTICS["fcfs"], Mode.EASY)
    assert {job: (each.start, each.end) for job, each in found.items()} == starts
