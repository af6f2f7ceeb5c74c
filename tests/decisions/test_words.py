"""Decisions in words: the reason, the rivals and by how much, under every policy."""

import re

import numpy as np
import pytest
from hypothesis import given, settings

from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.rounds.criteria import SAMPLE, Criterion, QueueFigures, told_by
from scheduler.decisions.rounds.explanation import wait
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import PLACES, observer
from scheduler.decisions.rounds.policy import traits
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.rounds.words import PlaceFigures, beside, both, merits
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named, names
from tests.support.worlds import Patient, option, pool, snapshot, snapshots, waiting

BUILT_IN = [name for name in names() if ":" not in name]
POOLS = [pool("cpu", 2), pool("gpu", 2)]
BUSY = [RunningAttempt(60.0, 20, 0, ((0, 1),)), RunningAttempt(50.0, 21, 1, ((0, 1),))]


def either(runtime):
    """On a cpu, or four times as fast for five times the price on a gpu."""
    fast = option(runtime / 4, 1, 1, dollars=runtime / 20)
    return [option(runtime, 1, 0, dollars=runtime / 100), fast]


def queue():
    return [
        waiting(1, either(300), 0.0),
        waiting(2, either(30), 5.0, priority=80.0),
        waiting(3, either(60), 6.0, deadline=200.0),
        waiting(4, option(40, 2, 1, dollars=3.0), 7.0, priority=90.0),
        waiting(5, option(80, 1, 0, dollars=0.8), 9.0),
        waiting(6, option(10, 1, 0, dollars=0.1), 12.0, preference=0.9),
    ]


def first(policy, jobs=None, mode=Mode.EASY):
    snap = snapshot(POOLS, queue() if jobs is None else jobs, BUSY, now=20.0)
    return run_round(snap, policy, mode, observer(policy, mode)).decisions[0]


def test_a_short_job_reads_as_one():
    decision = first(named("sjf"))
    assert decision.reason == (
        "starts on cpu × 1 (30 s, $0.30): shortest job (7.5 s, median 40 s); cheapest place, "
        "free now; 1 job of higher priority waits for gpu; decided by sjf"
    )
    assert [row.text for row in decision.rivals[:2]] == [
        "instead on gpu × 1: 5 × the cost, ends 22.5 s earlier; chosen with preference fast",
        "job 6 would be next on cpu × 1: it is 33 % longer",
    ]


@pytest.mark.parametrize(
    ("policy", "own", "rival"),
    [
        ("fcfs", "longest wait (20 s, median 13 s)", "came 5 s later"),
        ("priority", "highest priority (90, median 50)", "has priority 80, not 90"),
        ("edf", "nearest deadline in 3 min 00 s", "has no deadline"),
        ("lxf", "longest wait for its length (2 × its runtime", "has waited 0.93 × its runtime"),
        ("wgc", "nearest deadline in 3 min 00 s, short job (15 s", "has no deadline"),
    ],
)
def test_each_policy_says_what_it_looks_at(policy, own, rival):
    decision = first(named(policy))
    assert own in decision.reason
    others = [row.text for row in decision.rivals if row.job != decision.job]
    assert others[0].startswith("job ")
    assert "would be next" in others[0]
    assert rival in others[0]


def test_a_policy_that_does_not_order_by_priority_says_so():
    jobs = [waiting(1, option(5.0), 0.0), waiting(2, option(9.0), 1.0, priority=90.0)]
    assert "1 job of higher priority waits too: sjf looks at priority only between equal" in (
        first(named("sjf"), jobs).reason
    )
    assert (
        "1 job of higher priority waits too: wgc weighs more"
        in first(
            named("wgc"),
            [waiting(1, option(5.0), 0.0), waiting(2, option(90.0), 1.0, priority=60.0)],
        ).reason
    )


def test_the_more_urgent_of_equal_jobs_is_told_as_such():
    jobs = [waiting(1, option(5.0), 1.0), waiting(2, option(5.0), 1.0, priority=90.0)]
    decision = first(named("fcfs"), jobs)
    assert decision.job == 2
    assert decision.rivals[0].text.endswith(
        "it has priority 50, not 90; with priority 91 or more it would have been first"
    )


def test_of_equal_scores_the_older_job_wins_and_that_is_said():
    jobs = [waiting(1, option(5.0), 1.0), waiting(2, option(9.0), 4.0)]
    assert first(named("smallest"), jobs).rivals[0].text.endswith("it came 3 s later")


def test_a_job_that_holds_out_is_no_next_job():
    jobs = [waiting(1, option(900.0, 2, 1, dollars=1.0), 0.0)]
    jobs.append(waiting(2, [option(100.0, 1, 0), option(1.0, 1, 1, dollars=0.001)], 1.0))
    gpu = [RunningAttempt(21.0, 21, 1, ((0, 2),))]
    snap = snapshot(POOLS, jobs, gpu, now=20.0)
    texts = [
        row.text
        for decision in run_round(
            snap, named("wgc"), Mode.GREEDY, observer(named("wgc"), Mode.GREEDY)
        ).decisions
        for row in (decision.chosen, *decision.rivals)
    ]
    assert not any("e+" in text for text in texts)


def test_waiting_by_choice_is_told():
    snap = snapshot(POOLS, queue()[:2], now=20.0)
    (decision,) = run_round(snap, Patient(), Mode.EASY, observer(Patient())).decisions
    assert decision.reason == "keeps 2 jobs waiting; job 1 would be next; decided by patient"


def test_a_job_that_starved_is_told():
    guard = Guard(named("sjf"), named("fcfs"), starvation_s=15.0)
    decision = first(guard)
    assert decision.job == 1
    assert "has waited longer than 15 s, so it goes before all others" in decision.reason


@pytest.mark.parametrize("policy", BUILT_IN)
def test_every_policy_names_its_criteria_and_speaks_no_column_names(policy):
    found = named(policy)
    assert traits(found).criteria
    columns = {column.name for column in ROW_COLUMNS if "_" in column.name}
    snap = snapshot(POOLS, queue(), BUSY, now=20.0)
    for mode in (Mode.EASY, Mode.GREEDY):
        for decision in run_round(snap, found, mode, observer(found, mode)).decisions:
            texts = [decision.reason, *(row.text for row in decision.rivals)]
            assert all(texts)
            for text in texts:
                assert not columns.intersection(text.split())
                assert not re.search(r"\d[eE][+]\d|inf|nan", text), text
            assert len({row.job for row in decision.rivals}) >= len(decision.rivals) - PLACES


@settings(max_examples=25)
@given(snapshots())
def test_rivals_are_never_said_to_win(snap):
    for policy in (named("sjf"), named("priority"), named("wgc")):
        for decision in run_round(snap, policy, Mode.EASY, observer(policy, Mode.EASY)).decisions:
            for row in decision.rivals:
                assert row.score <= decision.chosen.score
                assert row.text.startswith(("instead on ", f"job {row.job} "))


def test_what_a_network_looked_at_is_told_by_its_columns():
    terms = {"rank_saf": 4.6, "area": 1.0, "dollars": 2.0, "wait": 0.5, "priority": -3.0}
    assert told_by(terms) == (Criterion.AREA, Criterion.ARRIVAL)


def test_a_long_queue_is_judged_by_a_sample():
    jobs = [waiting(job, option(float(job)), float(job)) for job in range(1, 2 * SAMPLE + 2)]
    figures = QueueFigures(snapshot(pool(), jobs, now=9000.0).world)
    assert (figures.count, figures.complete) == (2 * SAMPLE + 1, False)
    _, middle = figures.least_and_median(Criterion.LENGTH)
    assert middle == pytest.approx(SAMPLE, rel=0.01)


def test_who_goes_before_a_waiting_job():
    snap = snapshot(POOLS, queue(), BUSY, now=20.0)
    assert wait(snap, named("priority"), Mode.EASY, 5).ahead == (
        "3 jobs go before it on cpu, job 2 first: job 5 has priority 50, not 80 and came 4 s later"
    )
    assert wait(snap, named("sjf"), Mode.EASY, 2).ahead == ""


def test_places_in_words():
    cheap = PlaceFigures("cpu", 1, 0.0, 30.0, 1.0)
    quick, never = PlaceFigures("gpu", 2, 5.0, 5.0, 3.0), PlaceFigures("gpu", 2, np.inf, 5.0, 3.0)
    assert merits(cheap, []) == "the only place that it accepts, free now"
    assert merits(cheap, [quick]) == "cheapest place, the only one free now"
    assert merits(quick, [cheap]) == "quickest place, free in about 5 s"
    assert merits(never, [cheap]).endswith("free at a time not in sight")
    assert beside(quick, cheap) == "3 × the cost, ends 20 s earlier"
    assert beside(cheap, quick) == "67 % cheaper, ends 20 s later"
    assert beside(never, cheap) == "3 × the cost, free at a time not in sight"
    assert beside(cheap, cheap) == "equal in cost and time"
    assert (both([]), both(["a"]), both(["a", "b", "c"])) == ("", "a", "a, b and c")
